"""Gates: what holds a whole step at a tick, before anybody is decided about."""
