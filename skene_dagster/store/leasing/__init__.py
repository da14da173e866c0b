"""Whose turn it is to write, held by a lease."""
