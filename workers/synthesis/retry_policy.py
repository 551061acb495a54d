"""Retries of operations on a component that is temporarily unavailable."""

import logging
import time
from collections.abc import Callable
from typing import TypeVar

from tenacity import Retrying, before_sleep_log, retry_if_exception_type, wait_exponential

from jobs.errors import Unavailable

logger = logging.getLogger(__name__)

T = TypeVar("T")

FIRST_WAIT = 0.2
"""Seconds before the second try; each later wait is twice as long."""
MAX_WAIT = 5.0
"""Seconds."""


class RetryPolicy:
    """Retries with exponential backoff until `max_seconds` have been spent waiting."""

    def __init__(self, max_seconds: float, sleep: Callable[[float], None] = time.sleep) -> None:
        self._retrying = Retrying(
            retry=retry_if_exception_type(Unavailable),
            wait=wait_exponential(FIRST_WAIT, max=MAX_WAIT),
            stop=lambda state: state.idle_for >= max_seconds,
            sleep=sleep,
            before_sleep=before_sleep_log(logger, logging.WARNING),
            reraise=True,
        )

    def call(self, action: Callable[[], T]) -> T:
        """Return what `action` returns.

        Raises:
            Unavailable: as raised by the last try.
        """
        return self._retrying(action)
