"""Runs the command without its script: `python -m amigo`."""

from amigo.cli.main import main

main()
