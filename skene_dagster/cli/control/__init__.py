"""Commands with which a person decides."""
