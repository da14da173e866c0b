"""What the package costs, as ratios to what it stands on: measured by `make bench`, never by a test."""
