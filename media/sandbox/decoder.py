"""Decodes untrusted portraits and recordings, each in its own process."""

import logging
import os
import socket
import subprocess
import sys
import threading
import weakref
from collections.abc import Callable
from contextlib import ExitStack
from io import BufferedReader
from pathlib import Path
from typing import Self

from media.audio import SAMPLE_RATE, Speech, SpeechProperties
from media.errors import DecoderUnavailable
from media.picture import Picture, PictureProperties
from media.sandbox.confinement import LIMITS, Limits
from media.sandbox.messages import (
    ENDING,
    Failure,
    Medium,
    Request,
    ResponseInvalid,
    receive_image,
    receive_image_size,
    receive_length,
    receive_speech,
)
from media.sandbox.outcome import Decoded, interpret

logger = logging.getLogger(__name__)

GRACE_SECONDS = 30.0
"""Extra time for the response of a server, which may have to start first."""

_ROOT = Path(__file__).parents[2]
_NEEDED_VARIABLES = ("PATH", "PYTHONPATH", "LD_LIBRARY_PATH", "LANG")

_Receive = Callable[[BufferedReader], Decoded | Failure]


class Decoder:
    """Decodes untrusted files to pixels and samples; safe to share between threads.

    Each file is read by a process that cannot open files, start processes or use the network, with
    limited memory and time. The server that forks these processes is started on first use,
    restarted if it dies, and ends with this process, however that ends.
    """

    def __init__(self, limits: Limits = LIMITS, module: str = "media.sandbox.server") -> None:
        """Prepare a decoder that uses the Python module of this name as its server."""
        self._limits = limits
        self._module = module
        self._lock = threading.Lock()
        self._server: _Server | None = None

    def portrait(self, file: bytes) -> Picture:
        """Decode a picture like `media.picture.read_picture`.

        Raises:
            PortraitError: it cannot be decoded within the limits.
            DecoderUnavailable: nothing can be decoded at the moment.
        """
        return self._decode(Request(Medium.PORTRAIT, file), receive_image)

    def speech(self, file: bytes, max_duration: float = 300.0) -> Speech:
        """Decode a recording like `media.audio.read_speech`.

        Args:
            file: in any accepted format.
            max_duration: seconds.

        Raises:
            AudioError: it cannot be decoded within the limits.
            DecoderUnavailable: nothing can be decoded at the moment.
        """
        return self._decode(
            Request(Medium.AUDIO, file, max_duration),
            lambda stream: receive_speech(stream, max_duration),
        )

    def check_portrait(self, file: bytes) -> PictureProperties:
        """Decode a picture like `portrait`, but keep its pixels out of this process.

        Raises:
            PortraitError, DecoderUnavailable: as `portrait`.
        """
        request = Request(Medium.PORTRAIT, file, is_check=True)
        height, width, notices = self._decode(request, receive_image_size)
        return PictureProperties(width, height, notices)

    def check_speech(self, file: bytes, max_duration: float = 300.0) -> SpeechProperties:
        """Decode a recording like `speech`, but keep its samples out of this process.

        Raises:
            AudioError, DecoderUnavailable: as `speech`.
        """
        request = Request(Medium.AUDIO, file, max_duration, is_check=True)
        length, notices = self._decode(request, lambda stream: receive_length(stream, max_duration))
        return SpeechProperties(length / SAMPLE_RATE, notices)

    def start(self) -> None:
        """Start the server unless it is running, without waiting until it is ready."""
        self._running()

    def close(self) -> None:
        """Stop the server and all decoding; the next file starts another server."""
        with self._lock:
            server, self._server = self._server, None
        if server:
            server.close()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _decode(self, request: Request, receive: _Receive[Decoded]) -> Decoded:
        try:
            response, ending = self._exchange(request, receive)
        except _ServerLost as lost:
            logger.warning("Restarting the decoding server: %r", lost.__cause__)
            try:
                response, ending = self._exchange(request, receive)
            except _ServerLost as again:
                raise DecoderUnavailable("The decoding server keeps failing.") from again
        return interpret(request.medium, response, ending, self._limits)

    def _exchange(
        self, request: Request, receive: _Receive[Decoded]
    ) -> tuple[Decoded | Failure | ResponseInvalid, int]:
        """Let a process read the file; return its response and its exit status."""
        server = None
        try:
            server = self._running()
            channel, ending = server.fork(self._limits.seconds + GRACE_SECONDS)
            with channel, ending:
                return _converse(channel, request, receive), _receive_ending(ending)
        except (OSError, EOFError) as error:
            self._discard(server)
            raise _ServerLost from error

    def _running(self) -> "_Server":
        with self._lock:
            if self._server is None:
                self._server = _Server(self._module)
                weakref.finalize(self, self._server.close)
            return self._server

    def _discard(self, server: "_Server | None") -> None:
        with self._lock:
            if self._server is server:
                self._server = None
        if server:
            server.close()


class _ServerLost(Exception):
    """The server cannot be started, has exited, or does not respond."""


class _Server:
    """A running server."""

    def __init__(self, module: str) -> None:
        # Prevents sending on a descriptor that was closed and reused by other threads.
        self._lock = threading.Lock()
        self._control, theirs = socket.socketpair()
        with theirs, ExitStack() as unless_started:
            unless_started.enter_context(self._control)
            self._process = subprocess.Popen(  # noqa: S603 - the command is our own
                [sys.executable, "-m", module],
                stdin=theirs.fileno(),
                cwd=_ROOT,
                env=bare_environment(),
            )
            unless_started.pop_all()

    def fork(self, timeout: float) -> tuple[socket.socket, socket.socket]:
        """Return the channel to a new process and the socket that reports its exit status.

        Both raise TimeoutError after `timeout` seconds without data.
        """
        channel, its_channel = socket.socketpair()
        ending, its_ending = socket.socketpair()
        channel.settimeout(timeout)
        ending.settimeout(timeout)
        with its_channel, its_ending, ExitStack() as unless_sent:
            unless_sent.enter_context(channel)
            unless_sent.enter_context(ending)
            ends = [its_channel.fileno(), its_ending.fileno()]
            with self._lock:
                socket.send_fds(self._control, [b"\0"], ends)
            unless_sent.pop_all()
        return channel, ending

    def close(self) -> None:
        """Stop the server and all its forks."""
        self._process.kill()
        with self._lock:
            self._control.close()
        self._process.wait()


def _converse(
    channel: socket.socket, request: Request, receive: _Receive[Decoded]
) -> Decoded | Failure | ResponseInvalid:
    """Return a process's response; if it dies meanwhile, its exit status explains why."""
    try:
        request.send(channel)
        with channel.makefile("rb") as stream:
            return receive(stream)
    except ResponseInvalid as invalid:
        return invalid
    except ConnectionError as broken:
        return ResponseInvalid(repr(broken))


def _receive_ending(ending: socket.socket) -> int:
    received = ending.recv(ENDING.size)
    if not received:
        raise EOFError("The server exited.")
    code: int = ENDING.unpack(received)[0]
    return code


def bare_environment() -> dict[str, str]:
    """Return the variables that a process for untrusted files needs; others contain secrets."""
    given = {name: os.environ[name] for name in _NEEDED_VARIABLES if name in os.environ}
    # One thread: more would take memory in each process, and the sandbox does not allow them.
    return {**given, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
