"""The checks and output of `validate`."""
