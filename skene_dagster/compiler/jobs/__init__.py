"""Jobs and sensors other than the loops' own."""
