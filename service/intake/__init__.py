"""Submission of jobs: requests are received, read, checked and submitted."""
