"""MJML, judged and compiled."""
