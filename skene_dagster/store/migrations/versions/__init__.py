"""The revisions, oldest first. A released one is never changed.

`migrate --sql` executes nothing, so a revision may find the database without all that those before it make.
"""
