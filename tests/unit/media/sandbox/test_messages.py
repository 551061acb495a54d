from io import BufferedReader, BytesIO
from socket import socket
from typing import cast

import numpy as np
import pytest

from media.audio import Speech
from media.notices import Notice
from media.picture import MAX_PIXELS, Picture
from media.sandbox.messages import (
    Failure,
    Medium,
    Request,
    ResponseInvalid,
    receive_image,
    receive_image_size,
    receive_length,
    receive_request,
    receive_speech,
    send_decoded,
    send_size,
)


class Wire:
    """What was sent, to be received."""

    def __init__(self, content: bytes = b"") -> None:
        self.content = content

    def sendall(self, content: bytes) -> None:
        self.content += content

    @property
    def channel(self) -> socket:
        return cast(socket, self)

    @property
    def stream(self) -> BufferedReader:
        return BufferedReader(BytesIO(self.content))


def header(tag: int, first: int, second: int) -> bytes:
    return bytes([tag]) + first.to_bytes(4, "big") + second.to_bytes(4, "big") + bytes(1)


def samples(*values: float) -> bytes:
    return header(2, len(values), 0) + np.array(values, np.float32).tobytes()


def test_a_request_arrives_as_it_was_sent() -> None:
    wire = Wire()
    request = Request(Medium.AUDIO, b"RIFF", 7.5, is_check=True)
    request.send(wire.channel)
    assert receive_request(wire.stream) == request


def test_a_check_is_answered_with_the_size_alone() -> None:
    wire = Wire()
    send_size(wire.channel, Picture(np.zeros((64, 96, 3), np.uint8)))
    assert receive_image_size(wire.stream) == (64, 96, ())
    wire = Wire()
    send_size(wire.channel, Speech(np.zeros(1_000, np.float32)))
    assert receive_length(wire.stream, 1.0) == (1_000, ())


def test_a_picture_arrives_as_it_was_sent_with_its_notices() -> None:
    image = np.arange(64 * 96 * 3, dtype=np.uint8).reshape(64, 96, 3)
    wire = Wire()
    send_decoded(wire.channel, Picture(image, (Notice.STILL_USED,)))
    received = receive_image(wire.stream)
    assert isinstance(received, Picture)
    np.testing.assert_array_equal(received.pixels, image)
    assert received.notices == (Notice.STILL_USED,)


def test_a_waveform_arrives_as_it_was_sent_with_its_notices() -> None:
    waveform = np.linspace(-1, 1, 1_000, dtype=np.float32)
    wire = Wire()
    send_decoded(wire.channel, Speech(waveform, tuple(Notice)))
    received = receive_speech(wire.stream, 1.0)
    assert isinstance(received, Speech)
    np.testing.assert_array_equal(received.waveform, waveform)
    assert received.notices == tuple(Notice)


def test_a_failure_arrives_in_place_of_a_picture_or_a_waveform() -> None:
    wire = Wire()
    Failure("no_face", "Nobody there.").send(wire.channel)
    assert receive_image(wire.stream) == Failure("no_face", "Nobody there.")
    assert receive_speech(wire.stream, 1.0) == Failure("no_face", "Nobody there.")


def test_a_long_failure_is_truncated() -> None:
    wire = Wire()
    Failure("x", "é" * 5_000).send(wire.channel)
    failure = receive_image(wire.stream)
    assert isinstance(failure, Failure)
    assert len(failure.message) == 1_000


@pytest.mark.parametrize(
    "response",
    [
        b"",
        b"\x01",
        header(0, 64, 64),
        header(1, 64, 64)[:-1] + b"\xff" + bytes(64 * 64 * 3),
        header(4, 64, 64),
        header(2, 64, 0) + bytes(256),
        header(1, 63, 64) + bytes(63 * 64 * 3),
        header(1, 64, 64) + bytes(64 * 64 * 3 - 1),
        header(1, 64, MAX_PIXELS // 64 + 1),
        header(1, 2**32 - 1, 2**32 - 1),
        header(3, 2**32 - 1, 4),
        header(3, 4, 2**32 - 1),
        header(3, 4, 4) + b"codeone",
        header(3, 4, 4) + b"code\xc3\xa9..",
        header(3, 4, 4) + b"code\x1b[2J",
        header(3, 4, 4) + b"codea\nb.",
    ],
)
def test_an_invalid_picture_is_rejected(response: bytes) -> None:
    with pytest.raises(ResponseInvalid):
        receive_image(Wire(response).stream)


@pytest.mark.parametrize(
    "response",
    [
        b"",
        header(1, 64, 64) + bytes(64 * 64 * 3),
        header(2, 0, 0),
        header(2, 2**32 - 1, 0),
        samples(*[0.5] * 16_001),
        samples(0.5, 0.5)[:-1],
        samples(0.5, 1.5),
        samples(0.5, -1.5),
        samples(0.5, float("nan")),
        samples(0.5, float("inf")),
    ],
)
def test_an_invalid_waveform_is_rejected(response: bytes) -> None:
    with pytest.raises(ResponseInvalid):
        receive_speech(Wire(response).stream, 1.0)
