"""What callers read: a job as it stands, its changes, its files."""
