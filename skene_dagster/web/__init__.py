"""The HTTP app beside the loops, put together from parts (`parts.py`): each serves some paths.

Here alone is async code: a request waits for the commit that it shares with others. It stands apart from Dagster.
`connections` and `unread` bound what a client can hold up, `bodies` what it can make us keep.
"""
