"""Why somebody was mailed, or not: what the other parts know about one user, put together. Nothing is written."""
