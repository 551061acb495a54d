"""How stage one is trained: data, losses, validation, commands."""
