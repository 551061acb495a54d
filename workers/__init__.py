"""The GPU floor: Celery workers that turn queued jobs into videos."""
