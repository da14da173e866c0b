"""Commands about what loops are good for."""
