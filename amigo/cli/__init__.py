"""The `amigo` command."""
