"""Metrics of finished landmarks and videos, and the baselines they stand beside."""
