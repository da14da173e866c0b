"""What was decided about whom: written down, asked again later, and how far a step has come."""
