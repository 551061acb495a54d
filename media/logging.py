"""Structured logging of every process: one JSON object per line on standard error.

It is here because the decoding processes import nothing outside `media`.
"""

import json
import logging
from datetime import UTC, datetime

OURS = ("jobs", "media", "models", "service", "workers", "celery", "uvicorn.error")
"""Loggers whose records are written from the configured level up."""


class JsonFormatter(logging.Formatter):
    """Formats a record's time, level, logger and message, and the fields given as `extra`."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as one line of JSON."""
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str, ensure_ascii=False)


def configure_logging(level: str = "INFO") -> None:
    """Write our own records from `level` up to standard error; those of libraries from WARNING up.

    Libraries log complete URLs at INFO, which may contain callers' tokens.
    """
    handler = logging.StreamHandler()
    handler.setFormatter(JsonFormatter())
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    for name in OURS:
        logging.getLogger(name).setLevel(level)
    # A malformed form is reported to its sender as a problem.
    logging.getLogger("python_multipart").setLevel(logging.ERROR)
