"""What comes back: about accepted mail, read into receipts and suppressions; and the lists that providers keep."""
