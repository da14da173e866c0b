"""What recipients said while the database was away: kept in files on this machine until the database has it."""
