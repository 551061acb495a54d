"""The process that puts right what was left undone: `python -m workers.reconciler`."""
