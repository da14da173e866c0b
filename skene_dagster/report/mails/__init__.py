"""The emails of the loops as they look: made for somebody invented, and safe to show on the page."""
