"""Code that a signal's handler interrupts, at any point that is chosen."""

import gc
import sys
from collections.abc import Callable
from threading import Thread
from types import FrameType

from tests.waiting import PATIENCE


def interrupted(action: Callable[[], object], at: int, handler: Callable[[], None]) -> None:
    """Call `action`, and `handler` at the `at`-th point where CPython runs the handlers of signals:
    where a function begins, or one written in C has returned.

    Garbage is not collected meanwhile, because what a destructor raises is ignored.
    """
    points = iter(range(at + 1))

    def profile(frame: FrameType, event: str, argument: object) -> None:
        if event in ("call", "c_return") and next(points, None) == at:
            handler()

    gc.disable()
    sys.setprofile(profile)
    try:
        action()
    finally:
        sys.setprofile(None)
        gc.enable()


def ends(action: Callable[[], None]) -> bool:
    """Return whether `action` ends."""
    thread = Thread(target=action, daemon=True)
    thread.start()
    thread.join(PATIENCE)
    return not thread.is_alive()
