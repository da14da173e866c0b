"""What was decided in the past, for those who compare and replay it: read for whole loops, and never written."""
