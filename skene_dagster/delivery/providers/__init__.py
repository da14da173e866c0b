"""Providers of email: the contract in `base`, and those who keep it."""
