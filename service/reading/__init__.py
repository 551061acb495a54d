"""Read access for callers: a job's state, its changes and its files."""
