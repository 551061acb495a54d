"""Writes files that exist completely or not at all."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory


@contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`, which replaces it only on success.

    On any error, an existing file stays as it was. A symbolic link stays, and its target is
    replaced.
    """
    target = path.resolve()
    target.parent.mkdir(parents=True, exist_ok=True)
    # A short name of its own: the target's name may already be as long as names can be.
    with TemporaryDirectory(prefix=".amigo-", dir=target.parent) as folder:
        partial = Path(folder) / "partial"
        yield partial
        partial.replace(target)


def ffmpeg_name(path: Path) -> str:
    """Return a path for FFmpeg, which takes whatever precedes a colon for a protocol."""
    return f"file:{path}"
