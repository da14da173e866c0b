"""A project proposed from what is there: the product's database or its code. docs/start.md."""
