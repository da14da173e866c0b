"""What a query's result contains: whose rows, from which columns, how often."""
