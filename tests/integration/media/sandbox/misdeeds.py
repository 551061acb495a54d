"""A decoding server whose decoders do what the file says, for tests.

This simulates decoders that were taken over by their file. A misdeed that fails returns a picture
with the error's number.
"""

import ctypes
import mmap
import os
import pickle
import resource
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from media.errors import PortraitUnreadable
from media.picture import Picture
from media.sandbox.confinement import MEBIBYTE, Limits
from media.sandbox.messages import Medium, Request
from media.sandbox.server import MAX_DESCRIPTORS, serve

LIMITS = Limits(memory=128 * MEBIBYTE, cpu_seconds=1, seconds=60)
HASTY_LIMITS = Limits(memory=128 * MEBIBYTE, cpu_seconds=60, seconds=1)

PR_GET_PDEATHSIG, PR_GET_DUMPABLE, PR_GET_NO_NEW_PRIVS = 2, 3, 39  # <linux/prctl.h>

CHANNEL = 3
SUCCEEDED = 255
"""The picture's value for a misdeed that succeeded, instead of an error number."""


def paint(value: int) -> Picture:
    return Picture(np.full((64, 64, 3), value, np.uint8))


def attempt(request: Request) -> Picture:
    """Do what the file says."""
    try:
        value = MISDEEDS[request.file.decode()]()
    except OSError as error:
        return paint(error.errno or 0)
    return paint(SUCCEEDED if value is None else value)


def allocate() -> int:
    return len(bytearray(256 * MEBIBYTE))


def burn_processor_time() -> None:
    while True:
        pass


def ignore_the_processor_limit() -> None:
    signal.signal(signal.SIGXCPU, signal.SIG_IGN)
    burn_processor_time()


def sleep() -> None:
    while True:
        time.sleep(1)


def doze() -> None:
    time.sleep(1)


def connect() -> None:
    with socket.socket() as stranger:
        stranger.connect(("127.0.0.1", 9))


def read_a_file() -> None:
    Path("/etc/passwd").read_bytes()


def write_a_file() -> None:
    Path("/tmp/amigo-misdeed").write_bytes(b"here")


def open_many_files() -> None:
    for _ in range(8):
        os.open(os.devnull, os.O_RDONLY)


def fork() -> None:
    if os.fork() == 0:
        os._exit(0)


def execute() -> None:
    os.execv(sys.executable, [sys.executable, "-c", ""])


def start_a_thread() -> int:
    try:
        threading.Thread(target=time.sleep, args=[0]).start()
    except RuntimeError:
        return 1
    return SUCCEEDED


def kill_the_server() -> None:
    os.kill(os.getppid(), signal.SIGKILL)


def raise_a_limit() -> None:
    # Not setrlimit, for which Python raises ValueError.
    resource.prlimit(0, resource.RLIMIT_CPU, (60, 60))


def map_new_instructions() -> None:
    mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_EXEC).close()


def count_secrets() -> int:
    return sum("SECRET" in name for name in os.environ)


def count_open_descriptors() -> int:
    return sum(_is_open(number) for number in range(MAX_DESCRIPTORS))


def count_what_was_kept() -> int:
    """Count the rights that a decoding process should have dropped."""
    prctl = ctypes.CDLL(None).prctl
    may_gain_privileges = prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1
    is_open_to_others = prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) != 0
    outlives_its_server = ctypes.c_int()
    prctl(PR_GET_PDEATHSIG, ctypes.byref(outlives_its_server), 0, 0, 0)
    none = (resource.RLIMIT_FSIZE, resource.RLIMIT_CORE, resource.RLIMIT_NPROC)
    return sum(
        (
            may_gain_privileges,
            is_open_to_others,
            outlives_its_server.value != signal.SIGKILL,
            *(resource.getrlimit(kind) != (0, 0) for kind in none),
        )
    )


def crash() -> None:
    ctypes.string_at(0)


def fail() -> None:
    raise TypeError("no such thing\nforged: line")


def claim_a_giant() -> None:
    _say(b"\x01" + (100_000).to_bytes(4, "big") * 2)


def say_less_than_claimed() -> None:
    _say(b"\x01" + (64).to_bytes(4, "big") * 2 + b"few")


def send_a_pickle() -> None:
    _say(pickle.dumps(Bomb()))


def refuse_with_a_foreign_code() -> None:
    _refuse("internal_error", "Our own fault.")


def refuse_in_two_lines() -> None:
    _refuse(PortraitUnreadable.code, "One.\nTwo.")


def say_nothing() -> None:
    os._exit(0)


def linger() -> None:
    """Respond correctly, but do not exit."""
    _say_only(b"\x01" + (64).to_bytes(4, "big") * 2 + bytes(64 * 64 * 3))
    sleep()


class Bomb:
    """Writes a file when it is unpickled."""

    def __reduce__(self) -> tuple[Callable[[str], int], tuple[str]]:
        return os.system, ("touch /tmp/amigo-misdeed",)


def _say_only(content: bytes) -> None:
    os.write(CHANNEL, content)


def _say(content: bytes) -> None:
    _say_only(content)
    os._exit(0)


def _refuse(code: str, sentence: str) -> None:
    sizes = len(code).to_bytes(4, "big") + len(sentence).to_bytes(4, "big")
    _say(b"\x03" + sizes + code.encode() + sentence.encode())


def _is_open(number: int) -> bool:
    try:
        os.read(number, 0)
    except OSError:
        return False
    return True


MISDEEDS: dict[str, Callable[[], int | None]] = {
    misdeed.__name__: misdeed
    for misdeed in (
        *(allocate, burn_processor_time, ignore_the_processor_limit, sleep, doze, connect),
        *(read_a_file, write_a_file, open_many_files, fork, execute, start_a_thread),
        *(kill_the_server, raise_a_limit, map_new_instructions, count_secrets),
        *(
            count_open_descriptors,
            count_what_was_kept,
            crash,
            fail,
            claim_a_giant,
            say_less_than_claimed,
        ),
        *(send_a_pickle, refuse_with_a_foreign_code, refuse_in_two_lines, say_nothing, linger),
    )
}


def serve_misdeeds(limits: Limits) -> None:
    serve(dict.fromkeys(Medium, attempt), limits)


if __name__ == "__main__":
    serve_misdeeds(LIMITS)
