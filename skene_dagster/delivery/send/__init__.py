"""A batch on its way: frozen, attempted, settled."""
