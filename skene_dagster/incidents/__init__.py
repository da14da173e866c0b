"""What a person should look at: what is wrong now, since when, who was told, and that it is over."""
