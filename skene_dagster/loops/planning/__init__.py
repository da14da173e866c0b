"""From what an author wrote to what it means."""
