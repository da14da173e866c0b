"""Events over HTTP, as Segment's libraries send them."""
