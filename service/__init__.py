"""The HTTP service: accepts uploads, reports the state of jobs, and serves their results."""
