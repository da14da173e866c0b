"""Jobs and sensors beside the loops' own."""
