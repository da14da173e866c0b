"""Leases: one process at a time writes."""
