"""The report: one page that says what needs a person, what the loops did, and whether it worked."""
