"""The protocol between a decoder and its decoding processes: plain bytes, all validated.

    request   medium, is_check, max_duration, bytes     then the file
    response  PIXELS   height, width, notices           then uint8 [H, W, 3], unless it is a check
              SAMPLES  count, 0, notices                then float32 [N], unless it is a check
              FAILURE  bytes of code, of message, 0     then both, in ASCII

Notices are a set, one bit each, in the order of `Notice`.

The responding process has parsed untrusted data. Nothing it sends is unpickled or passed on before
it has been validated, including its size.
"""

from dataclasses import dataclass
from enum import IntEnum
from io import BufferedReader
from socket import socket
from struct import Struct

import numpy as np
from numpy.typing import NDArray

from media.audio import SAMPLE_RATE, Speech
from media.notices import Notice
from media.picture import MAX_PIXELS, MIN_SIDE, Picture

MAX_TEXT = 1_000
"""Maximum number of bytes of an error's code and of its message."""

OUT_OF_MEMORY = "out_of_memory"
"""Code of an error without a message: out of memory."""

ENDING = Struct("!i")
"""Exit status of a process, the negative number of a signal, or OVERDUE."""
NOT_CONFINED = 70
"""Exit status of a process that could not be sandboxed, and so read nothing."""
OVERDUE = 1_000
"""The process exceeded its time limit and was killed."""

_REQUEST = Struct("!B?dQ")
_RESPONSE = Struct("!BIIB")


class Medium(IntEnum):
    """How a file is decoded."""

    PORTRAIT = 1
    AUDIO = 2


class Tag(IntEnum):
    """What follows a response's header."""

    PIXELS = 1
    SAMPLES = 2
    FAILURE = 3


class ResponseInvalid(Exception):
    """The response is truncated or invalid."""


@dataclass(frozen=True)
class Request:
    """A file to decode.

    Attributes:
        medium: how it is decoded.
        file: its content.
        max_duration: maximum duration of audio in seconds.
        is_check: whether it is decoded completely, but only the size is returned.
    """

    medium: Medium
    file: bytes
    max_duration: float = 0.0
    is_check: bool = False

    def send(self, channel: socket) -> None:
        """Send the complete request."""
        channel.sendall(
            _REQUEST.pack(self.medium, self.is_check, self.max_duration, len(self.file))
        )
        channel.sendall(self.file)


@dataclass(frozen=True)
class Failure:
    """Why a file could not be decoded: a code and a message."""

    code: str
    message: str

    def send(self, channel: socket) -> None:
        """Send the complete failure."""
        code, message = (
            text.encode("ascii", "backslashreplace")[:MAX_TEXT]
            for text in (self.code, self.message)
        )
        channel.sendall(_RESPONSE.pack(Tag.FAILURE, len(code), len(message), 0) + code + message)


def receive_request(stream: BufferedReader) -> Request:
    """Receive a request from a decoder."""
    medium, is_check, max_duration, size = _REQUEST.unpack(stream.read(_REQUEST.size))
    return Request(Medium(medium), stream.read(size), max_duration, is_check)


def send_size(channel: socket, decoded: Picture | Speech) -> None:
    """Send the size of a picture or of a waveform, and the notices."""
    flags = sum(1 << place for place, notice in enumerate(Notice) if notice in decoded.notices)
    if isinstance(decoded, Picture):
        channel.sendall(_RESPONSE.pack(Tag.PIXELS, *decoded.pixels.shape[:2], flags))
    else:
        channel.sendall(_RESPONSE.pack(Tag.SAMPLES, len(decoded.waveform), 0, flags))


def send_decoded(channel: socket, decoded: Picture | Speech) -> None:
    """Send a picture or a waveform: its size, the notices and its data."""
    send_size(channel, decoded)
    array = decoded.pixels if isinstance(decoded, Picture) else decoded.waveform
    channel.sendall(np.ascontiguousarray(array).data.cast("B"))


def receive_image_size(
    stream: BufferedReader,
) -> tuple[int, int, tuple[Notice, ...]] | Failure:
    """Receive the height and width of a decoded picture with the notices, or a failure.

    Raises:
        ResponseInvalid.
    """
    tag, height, width, notices = _receive_header(stream)
    if tag is Tag.FAILURE:
        return _receive_failure(stream, height, width)
    if tag is not Tag.PIXELS or min(height, width) < MIN_SIDE or height * width > MAX_PIXELS:
        raise ResponseInvalid(f"Expected a picture, got {tag.name} of {height} x {width}.")
    return height, width, notices


def receive_image(stream: BufferedReader) -> Picture | Failure:
    """Receive a decoded picture, or a failure.

    Raises:
        ResponseInvalid.
    """
    found = receive_image_size(stream)
    if isinstance(found, Failure):
        return found
    height, width, notices = found
    image = np.empty((height, width, 3), np.uint8)
    _receive_into(stream, image)
    return Picture(image, notices)


def receive_length(
    stream: BufferedReader, max_duration: float
) -> tuple[int, tuple[Notice, ...]] | Failure:
    """Receive the length of a waveform of at most `max_duration` seconds with the notices, or a
    failure.

    Raises:
        ResponseInvalid.
    """
    tag, count, rest, notices = _receive_header(stream)
    if tag is Tag.FAILURE:
        return _receive_failure(stream, count, rest)
    if tag is not Tag.SAMPLES or not 0 < count <= round(max_duration * SAMPLE_RATE):
        raise ResponseInvalid(f"Expected a waveform, got {tag.name} of {count}.")
    return count, notices


def receive_speech(stream: BufferedReader, max_duration: float) -> Speech | Failure:
    """Receive a decoded recording of at most `max_duration` seconds, or a failure.

    Raises:
        ResponseInvalid.
    """
    found = receive_length(stream, max_duration)
    if isinstance(found, Failure):
        return found
    count, notices = found
    waveform = np.empty(count, np.float32)
    _receive_into(stream, waveform)
    # Also False for NaN.
    if not np.abs(waveform).max() <= 1:
        raise ResponseInvalid("Samples exceed full scale.")
    return Speech(waveform, notices)


def _receive_header(stream: BufferedReader) -> tuple[Tag, int, int, tuple[Notice, ...]]:
    tag, first, second, flags = _RESPONSE.unpack(_receive(stream, _RESPONSE.size))
    if tag not in set(Tag):
        raise ResponseInvalid(f"The tag {tag} is unknown.")
    if flags >> len(Notice):
        raise ResponseInvalid(f"The notices {flags:b} are unknown.")
    notices = tuple(notice for place, notice in enumerate(Notice) if flags >> place & 1)
    return Tag(tag), first, second, notices


def _receive_failure(stream: BufferedReader, *sizes: int) -> Failure:
    if max(sizes) > MAX_TEXT:
        raise ResponseInvalid(f"The error message has {sizes} bytes.")
    try:
        code, message = (_receive(stream, size).decode("ascii") for size in sizes)
    except UnicodeDecodeError as error:
        raise ResponseInvalid("The error message is not text.") from error
    if not (code + message).isprintable():
        raise ResponseInvalid("The error message has more than one line.")
    return Failure(code, message)


def _receive(stream: BufferedReader, size: int) -> bytes:
    content = stream.read(size)
    if len(content) < size:
        raise ResponseInvalid("The response ended early.")
    return content


def _receive_into(stream: BufferedReader, array: NDArray[np.uint8] | NDArray[np.float32]) -> None:
    if stream.readinto(array.data.cast("B")) < array.nbytes:
        raise ResponseInvalid("The response ended early.")
