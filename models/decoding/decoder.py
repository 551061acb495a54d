"""Decodes portraits and recordings from outside, each in a process of its own."""

import logging
import os
import signal
import socket
import subprocess
import sys
import threading
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path
from typing import Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from models.decoding.confinement import LIMITS, Limits
from models.decoding.messages import (
    AnswerGarbled,
    Medium,
    Refusal,
    Request,
    receive_image,
    receive_waveform,
)
from models.decoding.server import ENDING, NOT_CONFINED, OUT_OF_MEMORY, OVERDUE, UNEXPECTED
from models.errors import (
    AudioError,
    AudioTooDemanding,
    AudioUnreadable,
    DecoderUnavailable,
    MediaError,
    PortraitError,
    PortraitTooDemanding,
    PortraitUnreadable,
)

logger = logging.getLogger(__name__)

GRACE_SECONDS = 30.0
"""How much longer than a file may take a silent server is waited for: it may have to start."""

_ROOT = Path(__file__).parents[2]
_Decoded = TypeVar("_Decoded", NDArray[np.uint8], NDArray[np.float32])
_Receive = Callable[[BufferedReader], _Decoded | Refusal]


@dataclass(frozen=True)
class _Kind:
    """How refusals of one medium are told."""

    name: str
    family: type[MediaError]
    unreadable: type[MediaError]
    too_demanding: type[MediaError]

    def refused(self, refusal: Refusal) -> MediaError:
        """Return the error that a decoding process met.

        Raises:
            AnswerGarbled: it is none of this medium's.
        """
        for error in self.family.__subclasses__():
            if error.code == refusal.code:
                return error(refusal.sentence)
        raise AnswerGarbled(f"A refusal with the code {refusal.code!r}.")


_KINDS = {
    Medium.PORTRAIT: _Kind("picture", PortraitError, PortraitUnreadable, PortraitTooDemanding),
    Medium.AUDIO: _Kind("recording", AudioError, AudioUnreadable, AudioTooDemanding),
}


class _ServerLost(Exception):
    """The server ended, or does not answer."""


class _Server:
    """The process that forks for us, and the socket it listens on."""

    def __init__(self, module: str) -> None:
        self.control, theirs = socket.socketpair()
        with theirs:
            self.process = subprocess.Popen(  # noqa: S603 - the command is our own
                [sys.executable, "-m", module],
                stdin=theirs.fileno(),
                cwd=_ROOT,
                env=_environment(),
            )

    def close(self) -> None:
        """End the server and whatever it still decodes."""
        self.control.close()
        self.process.kill()
        self.process.wait()


class Decoder:
    """Turns files that strangers sent into pixels and samples; may be used by many threads.

    Each file is read by a process that can open, start and reach nothing, and that has only so
    much memory and time. The server that forks these processes is started when it is first
    needed, and again should it die; it dies with this process.
    """

    def __init__(self, limits: Limits = LIMITS, module: str = "models.decoding.server") -> None:
        """Prepare a decoder whose server is the Python module of this name."""
        self._limits = limits
        self._module = module
        self._lock = threading.Lock()
        self._server: _Server | None = None

    def portrait(self, file: bytes) -> NDArray[np.uint8]:
        """Decode a picture as `models.portrait.read_portrait` does, to upright RGB `[H, W, 3]`.

        Raises:
            PortraitError: it cannot be decoded, or only with more than the limits allow.
            DecoderUnavailable: nothing can be decoded at the moment.
        """
        return self._decode(Request(Medium.PORTRAIT, file), receive_image)

    def waveform(self, file: bytes, max_duration: float = 300.0) -> NDArray[np.float32]:
        """Decode a recording as `models.audio.read_waveform` does, to a waveform `[N]`.

        Raises:
            AudioError: it cannot be decoded, or only with more than the limits allow.
            DecoderUnavailable: nothing can be decoded at the moment.
        """
        return self._decode(
            Request(Medium.AUDIO, file, max_duration),
            lambda stream: receive_waveform(stream, max_duration),
        )

    def start(self) -> None:
        """Start the server, without waiting for it, unless it runs."""
        self._running()

    def close(self) -> None:
        """End the server, and what it still decodes; another file starts another."""
        with self._lock:
            server, self._server = self._server, None
        if server:
            server.close()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _decode(self, request: Request, receive: _Receive[_Decoded]) -> _Decoded:
        try:
            try:
                return self._exchange(request, receive)
            except _ServerLost as lost:
                logger.warning("The decoding server was lost and is replaced: %s", lost)
                return self._exchange(request, receive)
        except _ServerLost as lost:
            raise DecoderUnavailable("The decoding server cannot be kept running.") from lost

    def _exchange(self, request: Request, receive: _Receive[_Decoded]) -> _Decoded:
        """Have one process decode the file, and return once it has ended."""
        server = self._running()
        channel, theirs = socket.socketpair()
        ending, told = socket.socketpair()
        with channel, ending:
            for end in (channel, ending):
                end.settimeout(self._limits.seconds + GRACE_SECONDS)
            try:
                with theirs, told:
                    socket.send_fds(server.control, [b"\0"], [theirs.fileno(), told.fileno()])
                answer = _converse(channel, request, receive)
                code = _receive_ending(ending)
            except (OSError, EOFError) as error:
                self._discard(server)
                raise _ServerLost(repr(error)) from error
        return self._judge(_KINDS[request.medium], answer, code)

    def _judge(
        self, kind: _Kind, answer: _Decoded | Refusal | AnswerGarbled, code: int
    ) -> _Decoded:
        """Return what was decoded, if the process that did it ended well."""
        if code == NOT_CONFINED:
            raise DecoderUnavailable("A decoding process could not be confined.")
        if code == 0 and isinstance(answer, np.ndarray):
            return answer
        if code == OVERDUE:
            raise kind.too_demanding(
                f"Decoding the {kind.name} took longer than {self._limits.seconds:g} s."
            )
        if code == -signal.SIGXCPU:
            raise kind.too_demanding(
                f"Decoding the {kind.name} took more than {self._limits.cpu_seconds} s "
                "of processor time."
            )
        if code == -signal.SIGKILL or answer == Refusal(OUT_OF_MEMORY, ""):
            raise kind.too_demanding(f"Decoding the {kind.name} took more memory than there is.")
        raise self._refused(kind, answer, code)

    def _refused(
        self, kind: _Kind, answer: _Decoded | Refusal | AnswerGarbled, code: int
    ) -> MediaError:
        if code == 0 and isinstance(answer, Refusal) and answer.code != UNEXPECTED:
            return kind.refused(answer)
        logger.warning("A %s ended its decoder with %d: %r", kind.name, code, answer)
        return kind.unreadable(
            f"The {kind.name} is damaged in a way that ended the program that decoded it."
        )

    def _running(self) -> _Server:
        with self._lock:
            if self._server is None:
                self._server = _Server(self._module)
                weakref.finalize(self, self._server.close)
            return self._server

    def _discard(self, server: _Server) -> None:
        with self._lock:
            if self._server is server:
                self._server = None
        server.close()


def _converse(
    channel: socket.socket,
    request: Request,
    receive: _Receive[_Decoded],
) -> _Decoded | Refusal | AnswerGarbled:
    """Return what a decoding process answers; one that dies is told by its ending."""
    try:
        request.send(channel)
        with channel.makefile("rb") as stream:
            return receive(stream)
    except (ConnectionError, AnswerGarbled) as error:
        return error if isinstance(error, AnswerGarbled) else AnswerGarbled(repr(error))


def _receive_ending(ending: socket.socket) -> int:
    told = ending.recv(ENDING.size)
    if not told:
        raise EOFError("It ended.")
    code: int = ENDING.unpack(told)[0]
    return code


def _environment() -> dict[str, str]:
    """Return what decoding needs of this process's variables, which hold its secrets."""
    needed = ("PATH", "PYTHONPATH", "LD_LIBRARY_PATH", "LANG")
    given = {name: os.environ[name] for name in needed if name in os.environ}
    return {**given, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
