"""Commands about one user: what we hold of them."""
