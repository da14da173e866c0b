"""Writing an author's SQL for the embedded database."""
