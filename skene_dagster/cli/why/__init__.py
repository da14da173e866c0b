"""The command `why`: one user, explained."""
