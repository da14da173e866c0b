"""What comes back of the emails that were accepted: heard, kept, and acted upon."""
