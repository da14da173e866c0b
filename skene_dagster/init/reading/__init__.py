"""Readers: a database, or the code of a framework, becomes a Schema."""
