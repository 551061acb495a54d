"""Waiting in tests: for a condition, never for a fixed time."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

PATIENCE = 240.0
"""Seconds that anything a test waits for may take on a busy machine: a safety net, no assertion."""


def wait_for(condition: Callable[[], T], seconds: float = PATIENCE) -> T:
    """Return the condition's first truthy value.

    Raises:
        TimeoutError: there was none within the given seconds.
    """
    began = time.monotonic()
    while (waited := time.monotonic() - began) < seconds:
        if value := condition():
            return value
        # Soon at first, then less often: looking takes time from what is waited for.
        time.sleep(min(max(0.01, waited / 10), 0.2))
    raise TimeoutError(f"Not so within {seconds:.0f} s.")
