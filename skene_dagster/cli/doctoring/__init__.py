"""What `doctor` asks."""
