"""Hand-written containers with wrong values: RIFF, MP4 boxes, EBML elements, FLAC blocks."""

import struct
from collections.abc import Callable
from typing import Final

_PARENTS: Final = frozenset(
    {b"moov", b"trak", b"mdia", b"minf", b"dinf", b"stbl", b"edts", b"udta"}
)


def box(name: bytes, *bodies: bytes, size: int | None = None, wide: int | None = None) -> bytes:
    """Write an MP4 box; `size` and `wide`, its size in 64 bits, may be wrong."""
    body = b"".join(bodies)
    if wide is not None:
        return struct.pack(">I4sQ", 1, name, wide) + body
    return struct.pack(">I4s", len(body) + 8 if size is None else size, name) + body


def rewritten(file: bytes, name: bytes, rewrite: Callable[[bytes], bytes]) -> bytes:
    """Return an MP4 in which every box with a name is replaced, adjusting its parents' sizes.

    `rewrite` gets the box's body and returns the complete box.
    """
    boxes = []
    while len(file) >= 8:
        size, kind = struct.unpack(">I4s", file[:8])
        body, file = file[8:size], file[size:]
        if kind == name:
            boxes.append(rewrite(body))
        else:
            boxes.append(box(kind, rewritten(body, name, rewrite) if kind in _PARENTS else body))
    return b"".join(boxes)


def element(id: int, *bodies: bytes, size: int | None = None) -> bytes:
    """Write an EBML element, whose size may be wrong; -1: unknown."""
    body = b"".join(bodies)
    length = len(body) if size is None else size
    shown = b"\x01" + (length & (1 << 56) - 1).to_bytes(7, "big")
    return id.to_bytes((id.bit_length() + 7) // 8, "big") + shown + body


def number(id: int, value: int) -> bytes:
    """Write an EBML element that contains a number."""
    return element(id, value.to_bytes(8, "big"))


def matroska(*elements: bytes) -> bytes:
    """Write a Matroska file around the elements of its segment."""
    head = element(0x1A45DFA3, element(0x4282, b"matroska"), number(0x4287, 4), number(0x4285, 2))
    return head + element(0x18538067, *elements)


def pcm_track(*elements: bytes, rate: float = 16_000.0, channels: int = 1) -> bytes:
    """Write a Matroska track of 16-bit samples."""
    audio = element(
        *(0xE1, element(0xB5, struct.pack(">d", rate)), number(0x9F, channels)),
        number(0x6264, 16),
    )
    numbers = number(0xD7, 1) + number(0x73C5, 1) + number(0x83, 2)
    return element(0xAE, numbers, element(0x86, b"A_PCM/INT/LIT"), audio, *elements)


def cluster(*blocks: bytes) -> bytes:
    """Write a Matroska cluster of blocks of the first track."""
    head = b"\x81\x00\x00\x80"
    elements = {block: element(0xA3, head, block) for block in set(blocks)}
    return element(0x1F43B675, number(0xE7, 0), *(elements[block] for block in blocks))


def wav(
    data: bytes,
    *before: bytes,
    tag: int = 1,
    channels: int = 1,
    rate: int = 16_000,
    align: int = 2,
    bits: int = 16,
    size: int | None = None,
) -> bytes:
    """Write a WAV whose header may be wrong; `before` are chunks that come first."""
    fmt = struct.pack("<HHIIHH", tag, channels, rate, rate * align & 0xFFFFFFFF, align, bits)
    length = len(data) if size is None else size
    body = b"WAVE" + b"".join(before) + riff_chunk(b"fmt ", fmt) + b"data"
    body += struct.pack("<I", length) + data
    return b"RIFF" + struct.pack("<I", len(body) if size is None else size) + body


def riff_chunk(name: bytes, body: bytes, *, size: int | None = None) -> bytes:
    """Write a RIFF chunk, whose size may be wrong."""
    return name + struct.pack("<I", len(body) if size is None else size) + body


def id3(body: bytes, *, size: int | None = None, flags: int = 0) -> bytes:
    """Write an ID3v2.4 tag, whose size may be wrong."""
    return b"ID3\x04\x00" + bytes((flags,)) + syncsafe(len(body) if size is None else size) + body


def id3_frame(name: bytes, body: bytes, *, flags: int = 0) -> bytes:
    """Write a frame of an ID3v2.4 tag."""
    return name + syncsafe(len(body)) + struct.pack(">H", flags) + body


def syncsafe(value: int) -> bytes:
    """Write 28 bits as four bytes of seven."""
    return bytes(value >> shift & 0x7F for shift in (21, 14, 7, 0))


def flac_block(kind: int, body: bytes, *, size: int | None = None, last: bool = False) -> bytes:
    """Write a FLAC metadata block, whose size may be wrong."""
    length = len(body) if size is None else size
    return bytes((kind | last << 7,)) + length.to_bytes(3, "big") + body


def flac_info(rate: int = 16_000, samples: int = 0, *, blocks: int = 4096) -> bytes:
    """Write FLAC's stream information: 16 bits, one channel."""
    packed = rate << 44 | 15 << 36 | samples
    return struct.pack(">HH", blocks, blocks) + bytes(6) + packed.to_bytes(8, "big") + bytes(16)
