"""Metrics of finished landmarks and videos, and their baselines."""
