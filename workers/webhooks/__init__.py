"""The process that delivers webhooks: `python -m workers.webhooks`."""
