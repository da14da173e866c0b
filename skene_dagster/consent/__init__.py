"""Who may be mailed: the list of those who may not, and what it knows them by."""
