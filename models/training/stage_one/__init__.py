"""Training of stage one: data, losses, validation, commands."""
