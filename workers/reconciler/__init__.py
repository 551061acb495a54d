"""The process that repairs and cleans up: `python -m workers.reconciler`."""
