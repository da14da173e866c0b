"""Who is blocked in the product, until they leave a segment; and who is held out of that."""
