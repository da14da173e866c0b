"""Rolling up what users do, one tick after the other."""
