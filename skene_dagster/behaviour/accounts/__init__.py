"""What accounts do: that is what their users do, taken together."""
