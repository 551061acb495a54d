"""Imports of libraries as large as torch."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def kept_until_exit() -> Iterator[None]:
    """Exempt what is created within the context, and before, from garbage collection.

    Otherwise, the collector looks through the modules of torch several times while they are
    imported, and once more when the process exits.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
        gc.freeze()
