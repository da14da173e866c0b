"""The list that a provider keeps of addresses to which it sends nothing: read, shortened and extended."""
