"""Sending a batch: frozen, attempted, settled."""
