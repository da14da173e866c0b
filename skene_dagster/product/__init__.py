"""What the product's own tables hold, as our statements see it."""
