"""Commands about who may be mailed."""
