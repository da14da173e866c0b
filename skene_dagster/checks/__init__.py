"""What only the database knows about a project, in its author's words."""
