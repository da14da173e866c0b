"""Commands about one user."""
