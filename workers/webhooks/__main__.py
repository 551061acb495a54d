"""Delivers webhooks until asked to stop: `python -m workers.webhooks`."""

from workers.webhooks.sender import main

if __name__ == "__main__":
    main()
