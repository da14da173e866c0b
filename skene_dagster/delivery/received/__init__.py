"""What became of an email on its way: read from the message as its receiver saved it, and from DNS."""
