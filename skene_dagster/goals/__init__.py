"""What should come of a loop, and who is compared with whom to find out."""
