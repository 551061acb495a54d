"""The processes beside the service: synthesis, the reconciler, webhooks."""
