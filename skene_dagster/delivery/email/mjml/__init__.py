"""MJML, checked and compiled."""
