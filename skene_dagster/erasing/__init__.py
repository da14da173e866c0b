"""Erase a person from everything of ours: the skene_* tables, frozen emails, the files of the outbox."""
