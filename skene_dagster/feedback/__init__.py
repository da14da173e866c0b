"""What comes back: the lists that providers keep of addresses to which they send nothing."""
