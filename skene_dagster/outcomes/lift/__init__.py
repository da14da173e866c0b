"""The formulas: from what a database counts of the arms to a verdict. Pure, and of the standard library alone."""
