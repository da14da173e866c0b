"""One email, and what it is made from."""
