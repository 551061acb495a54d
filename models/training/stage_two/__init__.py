"""Training of stage two: data, losses, commands."""
