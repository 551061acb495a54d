"""Benchmarks of the product on this machine: seconds, frames per second, ratios within one run."""
