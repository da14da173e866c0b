"""Steps that rows trigger: which rows a tick reads, and which of them were found."""
