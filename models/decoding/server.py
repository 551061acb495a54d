"""Forks a confined process for every file: `python -m models.decoding.server`.

It is started by a `Decoder`, which holds the other end of its standard input: a socket on which
a byte with two descriptors asks for a process, and whose end ends this program and all that it
forked. It has read nothing from outside and holds no secret; its forks inherit decoders that are
loaded already, and cost a few milliseconds instead of half a second.
"""

import gc
import logging
import os
import resource
import selectors
import signal
import socket
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from io import BytesIO
from struct import Struct
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from models.audio import SAMPLE_RATE, read_waveform
from models.decoding.confinement import LIMITS, Limits, confine, system_call_filter
from models.decoding.messages import Medium, Refusal, Request, receive_request, send_array
from models.errors import MediaError
from models.portrait import read_portrait

logger = logging.getLogger(__name__)

OUT_OF_MEMORY = "out_of_memory"
UNEXPECTED = "unexpected"
"""Refusals that a `Decoder` words itself."""

NOT_CONFINED = 70
"""Exit status of a process that could not be confined, and so read nothing."""
OVERDUE = 1_000
"""Told in place of an exit status: the process took too long and was killed."""
ENDING = Struct("!i")
"""How a process ended, its exit status or the negative number of a signal."""

_MAX_DESCRIPTORS = 1_024
_CHANNEL = 3

Decode = Callable[[Request], NDArray[np.uint8] | NDArray[np.float32]]

DECODERS: Mapping[Medium, Decode] = {
    Medium.PORTRAIT: lambda request: read_portrait(request.file),
    Medium.AUDIO: lambda request: read_waveform(request.file, request.max_duration),
}


@dataclass(frozen=True)
class Child:
    """A process that decodes a file.

    Attributes:
        deadline: on the monotonic clock, when it is killed.
        ending: the descriptor on which its end is told.
        is_overdue: it was killed.
    """

    deadline: float
    ending: int
    is_overdue: bool = False


class Server:
    """The processes that decode at the moment."""

    def __init__(
        self, control: socket.socket, decoders: Mapping[Medium, Decode], limits: Limits
    ) -> None:
        self._control = control
        self._decoders = decoders
        self._limits = limits
        self._calls = _load_filter()
        self._children: dict[int, Child] = {}
        self._null = os.open(os.devnull, os.O_RDWR)

    def run(self) -> None:
        """Fork until the control socket ends, then kill what still decodes."""
        woken, waker = socket.socketpair()
        waker.setblocking(False)
        woken.setblocking(False)
        signal.set_wakeup_fd(waker.fileno())
        signal.signal(signal.SIGCHLD, lambda *_: None)
        with selectors.DefaultSelector() as selector:
            selector.register(self._control, selectors.EVENT_READ)
            selector.register(woken, selectors.EVENT_READ)
            is_wanted = True
            while is_wanted:
                ready = [key.fileobj for key, _ in selector.select(self._seconds_left())]
                if woken in ready:
                    woken.recv(4096)
                if self._control in ready:
                    is_wanted = self._admit()
                self._reap()
                self._kill_overdue()
        for pid in self._children:
            os.kill(pid, signal.SIGKILL)

    def _admit(self) -> bool:
        """Fork for the next file; False: nobody will send one any more."""
        message, descriptors, _, _ = socket.recv_fds(self._control, 1, 2)
        if not message:
            return False
        channel, ending = descriptors
        parent = os.getpid()
        pid = os.fork()
        if pid == 0:
            self._become_decoder(channel, parent)
        os.close(channel)
        self._children[pid] = Child(time.monotonic() + self._limits.seconds, ending)
        return True

    def _become_decoder(self, channel: int, parent: int) -> None:
        """Answer the one request that comes on a channel, and end; never returns."""
        status = NOT_CONFINED
        try:
            signal.set_wakeup_fd(-1)
            for standard in range(_CHANNEL):
                os.dup2(self._null, standard)
            os.dup2(channel, _CHANNEL)
            os.closerange(_CHANNEL + 1, _MAX_DESCRIPTORS)
            with socket.socket(fileno=_CHANNEL) as connection:
                confine(self._limits, self._calls, parent)
                status = 1
                answer(connection, self._decoders)
                status = 0
        finally:
            os._exit(status)

    def _reap(self) -> None:
        """Tell the end of every process that has ended."""
        for pid in list(self._children):
            found, status = os.waitpid(pid, os.WNOHANG)
            if found:
                child = self._children.pop(pid)
                code = OVERDUE if child.is_overdue else os.waitstatus_to_exitcode(status)
                with suppress(BrokenPipeError):  # nobody waits for it any more
                    os.write(child.ending, ENDING.pack(code))
                os.close(child.ending)

    def _kill_overdue(self) -> None:
        now = time.monotonic()
        for pid, child in self._children.items():
            if child.deadline <= now and not child.is_overdue:
                os.kill(pid, signal.SIGKILL)
                self._children[pid] = replace(child, is_overdue=True)

    def _seconds_left(self) -> float | None:
        deadlines = [each.deadline for each in self._children.values() if not each.is_overdue]
        return max(0.0, min(deadlines) - time.monotonic()) if deadlines else None


def answer(channel: socket.socket, decoders: Mapping[Medium, Decode]) -> None:
    """Decode the file that comes on a channel and send what it holds, or why it cannot be used."""
    with channel.makefile("rb") as stream:
        request = receive_request(stream)
    try:
        decoded = decoders[request.medium](request)
    except MediaError as error:
        Refusal(error.code, str(error)).send(channel)
    except MemoryError:
        Refusal(OUT_OF_MEMORY, "").send(channel)
    except Exception as error:  # noqa: BLE001 - strangers' files find what nobody expected
        Refusal(UNEXPECTED, repr(error)).send(channel)
    else:
        send_array(channel, decoded)


def serve(decoders: Mapping[Medium, Decode] = DECODERS, limits: Limits = LIMITS) -> None:
    """Serve the decoder at the other end of standard input."""
    # A worker or a service that is asked to stop may still have files to decode.
    for stopping in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
        signal.signal(stopping, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    resource.setrlimit(resource.RLIMIT_NOFILE, (_MAX_DESCRIPTORS, _MAX_DESCRIPTORS))
    _load_all()
    gc.freeze()
    with socket.socket(fileno=os.dup(sys.stdin.fileno())) as control:
        Server(control, decoders, limits).run()


def _load_all() -> None:
    """Have everything imported that the libraries import when they first need it."""
    Image.init()
    for format in ("JPEG", "PNG", "WEBP"):
        exif = Image.Exif()
        exif[0x0112] = 6
        file = BytesIO()
        Image.new("RGB", (64, 64)).save(file, format, exif=exif)
        read_portrait(file.getvalue())
    read_waveform(_wav(np.arange(SAMPLE_RATE, dtype="<i2")))


def _wav(samples: NDArray[np.int16]) -> bytes:
    size = 2 * len(samples)
    form = Struct("<4sI4s4sIHHIIHH4sI").pack(
        *(b"RIFF", size + 36, b"WAVE", b"fmt ", 16, 1, 1),
        *(SAMPLE_RATE, 2 * SAMPLE_RATE, 2, 16, b"data", size),
    )
    return form + samples.tobytes()


def _load_filter() -> Any:
    try:
        return system_call_filter()
    except (ImportError, RuntimeError, OSError) as error:
        logger.warning(
            "Files are decoded without a filter of system calls, under the other limits: %s", error
        )
        return None


if __name__ == "__main__":
    logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    serve()
