"""Retry policy for components that are temporarily unavailable."""

import logging
import time
from collections.abc import Callable
from typing import TypeVar

from jobs.errors import Unavailable

logger = logging.getLogger(__name__)

T = TypeVar("T")

FIRST_PAUSE = 0.2
"""Seconds before the first retry; each later delay is twice as long."""
LONGEST_PAUSE = 5.0
"""Seconds."""


class Patience:
    """Retries calls that raise Unavailable, for up to `seconds` of waiting in total."""

    def __init__(self, seconds: float, sleep: Callable[[float], None] = time.sleep) -> None:
        self._seconds = seconds
        self._sleep = sleep

    def call(self, action: Callable[[], T]) -> T:
        """Return the result of `action`.

        Raises:
            Unavailable: from the last try.
        """
        waited, pause = 0.0, FIRST_PAUSE
        while True:
            try:
                return action()
            except Unavailable as silent:
                if waited >= self._seconds:
                    raise
                logger.warning("Retrying in %.1f s: %s", pause, silent)
            self._sleep(pause)
            waited += pause
            pause = min(2 * pause, LONGEST_PAUSE)
