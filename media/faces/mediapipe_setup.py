"""Imports MediaPipe without what it needs for plots, and filters what it writes to stderr."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from tempfile import TemporaryFile
from types import ModuleType

_CHATTER = (
    b"Created TensorFlow Lite XNNPACK delegate",
    b"All log messages before absl::InitializeLog",
    b"Feedback manager requires a model with a single signature",
    b"Using NORM_RECT without IMAGE_DIMENSIONS",
)


@contextmanager
def plotting_left_out() -> Iterator[None]:
    """Let an import of matplotlib within the context find an empty module.

    MediaPipe imports it for one function that draws, which takes most of its own import's time.
    """
    if "matplotlib" in sys.modules:
        yield
        return
    plots = ModuleType("matplotlib.pyplot")
    package = ModuleType("matplotlib")
    package.pyplot = plots  # type: ignore[attr-defined]
    empty = {module.__name__: module for module in (package, plots)}
    sys.modules |= empty
    try:
        yield
    finally:
        for name in empty:
            del sys.modules[name]


@contextmanager
def chatter_left_out() -> Iterator[None]:
    """Capture stderr within the context, then pass it on without MediaPipe's standard messages.

    Its wheel offers no way to set the native log level, so the file descriptor is redirected.
    """
    sys.stderr.flush()
    original = os.dup(2)
    with TemporaryFile() as captured:
        os.dup2(captured.fileno(), 2)
        try:
            yield
        finally:
            sys.stderr.flush()
            os.dup2(original, 2)
            os.close(original)
            captured.seek(0)
            for line in captured:
                if not any(chatter in line for chatter in _CHATTER):
                    os.write(2, line)
