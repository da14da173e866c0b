"""Did it work: what mailed people did and held-out people did not, with how sure that is."""
