"""Many rows at once: written in few statements, and held in memory while they are decided about."""
