"""Measures shared by training and evaluation, and their baselines."""
