"""What comes back about mail that was accepted: kept as it is told, then read into receipts and suppressions."""
