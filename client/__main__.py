"""Runs the command without its script: `python -m client`."""

from client.cli import main

main()
