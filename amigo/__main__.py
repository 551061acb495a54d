"""Runs the command without its installed script: `python -m amigo`."""

from amigo.cli.main import main

main()
