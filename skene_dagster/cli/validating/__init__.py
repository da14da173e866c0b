"""What `validate` says."""
