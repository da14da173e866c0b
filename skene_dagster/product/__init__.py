"""The product's own tables, as our statements see them."""
