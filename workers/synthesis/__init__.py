"""The process that turns queued jobs into videos: `python -m workers.synthesis`."""
