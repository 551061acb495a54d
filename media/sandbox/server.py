"""Forks a sandboxed process for every file: `python -m media.sandbox.server`.

A `Decoder` starts it and holds the other end of its standard input, a socket. A byte with two
descriptors requests a process; the end of the socket ends this program and all its forks. It reads
no untrusted data and holds no secrets. Its forks inherit loaded decoders, so they take a few
milliseconds, whereas a new interpreter would take half a second.
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
from typing import Any

from media.audio import Speech, read_speech
from media.errors import MediaError
from media.logging import configure_logging
from media.picture import Picture, read_picture
from media.sandbox.confinement import LIMITS, Limits, confine, limit, system_call_filter
from media.sandbox.messages import (
    ENDING,
    NOT_CONFINED,
    OUT_OF_MEMORY,
    OVERDUE,
    Failure,
    Medium,
    Request,
    receive_request,
    send_decoded,
    send_size,
)
from media.sandbox.rehearsal import rehearse

logger = logging.getLogger(__name__)

MAX_DESCRIPTORS = 1_024
_CHANNEL = 3

Decode = Callable[[Request], Picture | Speech]

DECODERS: Mapping[Medium, Decode] = {
    Medium.PORTRAIT: lambda request: read_picture(request.file),
    Medium.AUDIO: lambda request: read_speech(request.file, request.max_duration),
}


@dataclass(frozen=True)
class Child:
    """A process that decodes a file.

    Attributes:
        deadline: when it is killed, on the monotonic clock.
        ending: the descriptor on which its exit status is reported.
        is_overdue: whether it was killed.
    """

    deadline: float
    ending: int
    is_overdue: bool = False


class Server:
    """Forks processes for a decoder, and reports each exit status."""

    def __init__(
        self, control: socket.socket, decoders: Mapping[Medium, Decode], limits: Limits
    ) -> None:
        self._control = control
        self._decoders = decoders
        self._limits = limits
        self._calls = _usable_filter(limits)
        self._null = os.open(os.devnull, os.O_RDWR)
        self._children: dict[int, Child] = {}

    def run(self) -> None:
        """Fork until the control socket ends, then kill the remaining processes."""
        woken = _wake_on_ended_children()
        with selectors.DefaultSelector() as selector:
            selector.register(self._control, selectors.EVENT_READ)
            selector.register(woken, selectors.EVENT_READ)
            is_wanted = True
            while is_wanted:
                ready = [key.fileobj for key, _ in selector.select(self._seconds_left())]
                if woken in ready:
                    woken.recv(MAX_DESCRIPTORS)
                if self._control in ready:
                    is_wanted = self._admit()
                self._reap()
                self._kill_overdue()
        for pid in self._children:
            os.kill(pid, signal.SIGKILL)

    def _admit(self) -> bool:
        """Fork for the next file; return False if there will be no more."""
        message, descriptors, _, _ = socket.recv_fds(self._control, 1, 2)
        if not message:
            return False
        channel, ending = descriptors
        parent = os.getpid()
        pid = _fork(lambda: self._decode(channel, parent))
        os.close(channel)
        self._children[pid] = Child(time.monotonic() + self._limits.seconds, ending)
        return True

    def _decode(self, channel: int, parent: int) -> int:
        """Handle the one request on a channel; return the exit status."""
        for standard in range(_CHANNEL):
            os.dup2(self._null, standard)
        os.dup2(channel, _CHANNEL)
        os.closerange(_CHANNEL + 1, MAX_DESCRIPTORS)
        with socket.socket(fileno=_CHANNEL) as connection:
            try:
                confine(self._limits, self._calls, parent)
            except (OSError, ValueError):
                return NOT_CONFINED
            respond(connection, self._decoders)
        return 0

    def _reap(self) -> None:
        """Report the exit status of every process that has ended."""
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
        """Return the seconds until the next process is overdue, or None."""
        deadlines = [each.deadline for each in self._children.values() if not each.is_overdue]
        return max(0.0, min(deadlines) - time.monotonic()) if deadlines else None


def respond(channel: socket.socket, decoders: Mapping[Medium, Decode]) -> None:
    """Decode the file from a channel and send its content, or why it cannot be used."""
    with channel.makefile("rb") as stream:
        request = receive_request(stream)
    try:
        decoded = decoders[request.medium](request)
    except MediaError as error:
        Failure(error.code, str(error)).send(channel)
    except MemoryError:
        Failure(OUT_OF_MEMORY, "").send(channel)
    # Untrusted files cause unexpected errors; the decoder logs them.
    except Exception as error:  # noqa: BLE001
        Failure(type(error).__name__, repr(error)).send(channel)
    else:
        send = send_size if request.is_check else send_decoded
        send(channel, decoded)


def serve(decoders: Mapping[Medium, Decode] = DECODERS, limits: Limits = LIMITS) -> None:
    """Serve the decoder at the other end of standard input."""
    configure_logging()
    # A service or a worker that is asked to stop may still have files to decode.
    for stopping in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
        signal.signal(stopping, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    limit(resource.RLIMIT_NOFILE, MAX_DESCRIPTORS)
    rehearse()
    gc.freeze()
    with socket.socket(fileno=os.dup(sys.stdin.fileno())) as control:
        Server(control, decoders, limits).run()


def _usable_filter(limits: Limits) -> Any:
    """Return the system call filter, or None if decoding does not work with one."""
    try:
        calls = system_call_filter()
    except (ImportError, RuntimeError, OSError) as error:
        logger.warning("Files are decoded without a system call filter: %s", error)
        return None
    if calls is None or _works(limits, calls):
        return calls
    logger.warning("Files are decoded without a system call filter: filters do not work here.")
    return None


def _works(limits: Limits, calls: Any) -> bool:
    parent = os.getpid()

    def try_out() -> int:
        confine(limits, calls, parent)
        rehearse()
        return 0

    _, status = os.waitpid(_fork(try_out), 0)
    return status == 0


def _fork(work: Callable[[], int]) -> int:
    """Run the work in a fork of this process, which exits with the returned status."""
    pid = os.fork()
    if pid:
        return pid
    status = 1
    try:
        signal.set_wakeup_fd(-1)
        status = work()
    finally:
        os._exit(status)


def _wake_on_ended_children() -> socket.socket:
    """Return a socket that becomes readable whenever a process has ended."""
    woken, waker = socket.socketpair()
    waker.setblocking(False)
    signal.set_wakeup_fd(waker.detach())
    signal.signal(signal.SIGCHLD, lambda *_: None)
    return woken


if __name__ == "__main__":
    serve()
