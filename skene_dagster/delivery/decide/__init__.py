"""Who is mailed at a tick, and why not."""
