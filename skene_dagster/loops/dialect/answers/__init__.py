"""What a query's result has: whose rows, from which columns, how often."""
