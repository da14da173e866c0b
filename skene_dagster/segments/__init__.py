"""Who: the users that a loop is about, as sets in the database."""
