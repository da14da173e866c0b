"""The HTTP app beside the loops: what the product's servers and Segment's libraries tell, taken and committed.

Here alone is async code: a request waits for the commit that it shares with others. It stands apart from Dagster.
`connections` and `unread` bound what a client can hold up, `bodies` what it can make us keep.
"""
