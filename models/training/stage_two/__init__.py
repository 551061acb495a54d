"""How stage two is trained: data, losses, commands."""
