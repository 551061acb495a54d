"""Detects a recording's container, and repairs what FFmpeg cannot read in it."""

import re
from collections.abc import Iterator

from media.accepted import RECORDINGS, listed
from media.errors import AudioUnreadable
from media.formats import describe_given

ACCEPTED_AUDIO = f"{listed(RECORDINGS)} file"
"""To follow an article."""

_ACCEPTED_NAMES = frozenset(
    {
        *("a WAV recording", "an MP3 recording", "a FLAC recording", "an OGG recording"),
        *("an MP4, M4A or MOV file", "a MOV file", "a WEBM or Matroska file"),
    }
)

HEAD = 64
"""Number of bytes from which a format is recognized."""

# (offset, magic bytes, FFmpeg's demuxer). An upload's name and declared type are ignored.
_SIGNATURES = (
    (8, b"WAVE", "wav"),
    (0, b"fLaC", "flac"),
    (0, b"OggS", "ogg"),
    *((4, box, "mov") for box in (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot")),
    (0, b"\x1aE\xdf\xa3", "matroska"),
)
# Parts of a stream that can only be read after its first part.
_LATER_PARTS = (
    (0, b"\x1fC\xb6u"),  # a WEBM cluster
    (0, b"\xa3"),  # a WEBM block
    (4, b"moof"),
    (4, b"styp"),
    (4, b"sidx"),
)
_BEGINS_STREAM = 2
"""Flag of the first page of a stream in an Ogg file (RFC 3533, section 6)."""
_UNKNOWN_SIZES = (0, 0xFFFFFFFF)
_CHUNKS_BEHIND = re.compile(b"LIST|INFO|id3 |ID3 |bext|iXML|cue |fact|JUNK|PAD |_PMX|smpl|afsp")


def recognize(file: bytes) -> str | None:
    """Return FFmpeg's demuxer for a recording; None: one without a signature, MP3 or raw AAC.

    Raises:
        AudioUnreadable: the recording has another format, or lacks its beginning.
    """
    for offset, magic, demuxer in _SIGNATURES:
        if file[offset:HEAD].startswith(magic):
            if demuxer == "ogg" and not file[5:6] <= b"\x07":
                break
            if demuxer == "ogg" and not file[5] & _BEGINS_STREAM:
                raise _beginning_missing()
            return demuxer
    if any(file[offset:HEAD].startswith(magic) for offset, magic in _LATER_PARTS):
        raise _beginning_missing()
    return None


def unsupported(file: bytes) -> AudioUnreadable:
    """Return the error for a recording in none of the accepted formats."""
    given = describe_given(file[:HEAD], _ACCEPTED_NAMES)
    return AudioUnreadable(f"The recording {given}; accepted: a {ACCEPTED_AUDIO}.")


def without_id3(file: bytes) -> bytes:
    """Return a recording without the ID3 tags in front, which most demuxers do not expect."""
    while file.startswith(b"ID3") and len(file) > 10:
        size = sum(
            (byte & 0x7F) << shift for byte, shift in zip(file[6:10], (21, 14, 7, 0), strict=True)
        )
        file = file[10 + size + (10 if file[5] & 0x10 else 0) :]
    return file


def sample_entries(file: bytes) -> list[str]:
    """Return the types of the tracks of an MP4 or MOV, such as `mp4a`."""
    found = (file[place.end() + 12 : place.end() + 16] for place in re.finditer(b"stsd", file))
    return [tag.decode("ascii", "replace") for tag in found]


def repaired(file: bytes, demuxer: str | None) -> Iterator[bytes]:
    """Yield the parts of a recording, each of which FFmpeg can read."""
    if demuxer == "mov":
        yield _without_channel_order(file)
    elif demuxer == "wav":
        yield _with_data_size(file)
    elif demuxer == "ogg":
        yield from _links(file)
    else:
        yield file


def _beginning_missing() -> AudioUnreadable:
    return AudioUnreadable(
        "The recording has no beginning: it is a later part of a stream. Join all parts, starting "
        "with the first one."
    )


def _without_channel_order(file: bytes) -> bytes:
    """Rename the boxes that give a MOV's channels an order of their own.

    PyAV frees such an order twice, which aborts the process. The order does not matter: a channel
    is used for the speech in it.
    """
    for found in re.finditer(b"stsd", file):
        start = found.start() - 4
        box = file[start : start + int.from_bytes(file[start : found.start()], "big")]
        renamed = re.sub(b"chan|chnl", b"free", box)
        if renamed != box:
            file = file[:start] + renamed + file[start + len(box) :]
    return file


def _with_data_size(file: bytes) -> bytes:
    """State a streamed WAV's size, if chunks follow its samples: they would be heard as a click."""
    place = file.find(b"data", 12, 4_096)
    if place < 0 or int.from_bytes(file[place + 4 : place + 8], "little") not in _UNKNOWN_SIZES:
        return file
    samples = place + 8
    if samples > len(file):
        return file
    size = _first_chunk_behind(file, samples) - samples
    return file[: place + 4] + size.to_bytes(4, "little") + file[samples:]


def _first_chunk_behind(file: bytes, samples: int) -> int:
    """Return where the chunks begin that end exactly with the file, or the file's end."""
    end = len(file)
    for found in reversed(list(_CHUNKS_BEHIND.finditer(file, samples))):
        start = found.start()
        size = int.from_bytes(file[start + 4 : start + 8], "little")
        if start + 8 + size in (end, end - size % 2):
            end = start
    return end


def _links(file: bytes) -> Iterator[bytes]:
    """Yield the links of a chained Ogg file, whose streams may differ in everything."""
    starts, was_first = [0], True
    for page in re.finditer(b"OggS\0[\0-\x07]", file):
        is_first = bool(file[page.start() + 5] & _BEGINS_STREAM)
        if is_first and not was_first:
            starts.append(page.start())
        was_first = is_first
    for start, end in zip(starts, [*starts[1:], len(file)], strict=True):
        yield file[start:end]
