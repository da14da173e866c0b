"""What users do: events, and the activity, adoption, levels and milestones computed from them."""
