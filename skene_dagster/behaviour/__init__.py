"""What users do: events, and the activity, adoption, levels and milestones that follow from them."""
