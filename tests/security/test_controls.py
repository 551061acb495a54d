"""Controls: the checks of the attacks detect what they should."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from io import BytesIO

import av
import pytest

from media.audio import read_waveform
from media.errors import AudioError
from tests.processes import child_process
from tests.security.bait import HOST, PORT, Listener
from tests.security.footprint import MEBIBYTE, family, measured
from tests.security.playlists import PLAYLISTS
from tests.security.recordings import BAITED
from tests.security.target import Target
from tests.waiting import wait_for

ALLOCATE = f"held = b'x' * {300 * MEBIBYTE}; print('held', flush=True); input()"


@pytest.fixture
def ears(listener: Listener) -> Iterator[Listener]:
    """A listener that is expected to receive something."""
    yield listener
    listener.heard.clear()


class NamedFile(BytesIO):
    name = "speech.m3u8"


def test_an_unguarded_decoder_reaches_the_listener(ears: Listener) -> None:
    with pytest.raises(av.FFmpegError):
        av.open(NamedFile(PLAYLISTS["m3u8"].encode()), timeout=5)
    assert "a TCP connection" in wait_for(lambda: ears.heard)


def test_a_datagram_reaches_the_listener(ears: Listener) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.sendto(b"hello", (HOST, PORT))
    assert wait_for(lambda: ears.heard) == ["a datagram b'hello'"]


def test_the_memory_of_a_child_process_is_measured() -> None:
    with (
        measured(os.getpid()) as peak,
        child_process(
            [sys.executable, "-c", ALLOCATE], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        ) as child,
    ):
        assert child.stdout
        assert child.stdout.readline() == b"held\n"
        assert child.pid in family(os.getpid())
        wait_for(lambda: peak.bytes > 300 * MEBIBYTE)
        child.communicate(b"\n")


def test_every_leftover_is_detected(target: Target) -> None:
    before = target.traces()
    target.storage.put("jobs/left/behind", b"x", "text/plain")
    target.valkey.set("amigo:left", "behind")
    (target.scratch / "left").touch()
    after = target.traces()
    target.storage.delete_prefix("jobs/left/")
    target.valkey.delete("amigo:left")
    (target.scratch / "left").unlink()
    assert after.objects - before.objects == {"jobs/left/behind"}
    assert after.keys - before.keys == {b"amigo:left"}
    assert len(after.files - before.files) == 1
    assert target.traces() == before


def test_an_unconfined_decoder_does_not_reach_the_listener(listener: Listener) -> None:
    for file in BAITED:
        with suppress(AudioError):
            read_waveform(file.build())
        assert listener.heard == [], file.name
