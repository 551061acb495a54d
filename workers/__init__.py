"""The background processes: synthesis, the reconciler, webhooks."""
