"""What callers read: a job's state, its changes and its files."""
