"""Pictures and recordings from outside, decoded by processes that can do nothing else."""
