"""The middleware that handles every request."""
