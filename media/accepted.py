"""Which files are accepted: the names of their formats, media types and file name suffixes.

Whether a file is accepted is decided by its content; this is for those who choose one.
"""

from collections.abc import Iterable
from typing import NamedTuple


class Format(NamedTuple):
    """A file format that people know by name."""

    name: str
    media_types: tuple[str, ...]
    suffixes: tuple[str, ...]


PICTURES = (
    Format("JPEG", ("image/jpeg",), (".jpg", ".jpeg")),
    Format("PNG", ("image/png",), (".png",)),
    Format("WEBP", ("image/webp",), (".webp",)),
    Format("HEIC", ("image/heic", "image/heif"), (".heic", ".heif")),
    Format("AVIF", ("image/avif",), (".avif",)),
)
RECORDINGS = (
    Format("WAV", ("audio/wav", "audio/x-wav"), (".wav",)),
    Format("MP3", ("audio/mpeg",), (".mp3",)),
    Format("AAC", ("audio/aac",), (".aac",)),
    Format("FLAC", ("audio/flac",), (".flac",)),
    Format("OGG", ("audio/ogg",), (".ogg", ".opus")),
    Format("M4A", ("audio/mp4",), (".m4a",)),
    Format("MP4", ("video/mp4",), (".mp4",)),
    Format("MOV", ("video/quicktime",), (".mov",)),
    Format("WEBM", ("audio/webm", "video/webm"), (".webm",)),
)


def listed(formats: Iterable[Format]) -> str:
    """Return the names as they stand in a sentence: `JPEG, PNG or WEBP`."""
    *others, last = (each.name for each in formats)
    return f"{', '.join(others)} or {last}"
