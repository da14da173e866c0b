"""A loop replayed over past days: whom it would have mailed, and whom not and why. Nothing is sent or written.

The decisions come from the same pure functions as those of `reserve`, in the same order of rules. What cannot be known
of the past any more is taken as it is today, and named.
"""
