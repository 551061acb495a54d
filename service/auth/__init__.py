"""Who calls, what an API key may do, and how often."""
