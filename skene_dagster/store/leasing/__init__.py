"""Leases: only one process at a time writes."""
