"""Deciding about accounts: their occurrences, and who of each is mailed."""
