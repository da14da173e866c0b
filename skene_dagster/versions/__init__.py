"""Two versions of a project's files: what differs between them, in the words of their author, and for whom."""
