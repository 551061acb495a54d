"""Structured logging of every process: one JSON object per line on standard error.

It is here because the decoding processes import nothing outside `media`.
"""

import json
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime

OURS = ("jobs", "media", "models", "service", "workers", "celery", "uvicorn.error")
"""Loggers whose records are written from the configured level up."""


_FIELDS: ContextVar[Mapping[str, object]] = ContextVar("fields")


@contextmanager
def log_fields(**fields: object) -> Iterator[None]:
    """Add fields to every record logged within the context; those that are None are left out."""
    given = {name: value for name, value in fields.items() if value is not None}
    token = _FIELDS.set({**_FIELDS.get({}), **given})
    try:
        yield
    finally:
        _FIELDS.reset(token)


class JsonFormatter(logging.Formatter):
    """Formats a record's time, level, logger and message, and the fields of its context and of its
    `extra`.
    """

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as one line of JSON."""
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **_FIELDS.get({}),
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
    logging.captureWarnings(True)
    for name in OURS:
        logging.getLogger(name).setLevel(level)
    # A malformed form is reported to its sender as a problem.
    logging.getLogger("python_multipart").setLevel(logging.ERROR)
