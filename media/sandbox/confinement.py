"""The restrictions that a decoding process applies to itself before it reads untrusted data."""

import ctypes
import os
import resource
import signal
import sys
from contextlib import suppress
from dataclasses import dataclass
from errno import EPERM
from mmap import PROT_EXEC
from pathlib import Path
from typing import Any

MEBIBYTE = 1 << 20

PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_SET_NO_NEW_PRIVS = 1, 4, 38  # <linux/prctl.h>

# The system calls of the decoders, numpy and the interpreter once they are loaded: memory, the
# clock, and reading from and writing to open descriptors.
_SYSTEM_CALLS = (
    *("read", "readv", "write", "writev", "recvfrom", "sendto", "poll", "ppoll", "close"),
    *("brk", "munmap", "mremap", "madvise", "futex", "sched_yield", "sched_getaffinity"),
    *("clock_gettime", "clock_nanosleep", "gettimeofday", "time", "getrandom", "getpid", "gettid"),
    *("rt_sigreturn", "rt_sigprocmask", "sigaltstack", "restart_syscall", "exit", "exit_group"),
)
# Memory may be mapped, but not as executable.
_NOT_EXECUTABLE = ("mmap", "mprotect")


@dataclass(frozen=True)
class Limits:
    """Limits for decoding one file.

    Attributes:
        memory: bytes in addition to those used before reading the file.
        cpu_seconds: CPU time.
        seconds: from the start of the process to its end.
    """

    memory: int = 1_024 * MEBIBYTE
    cpu_seconds: int = 20
    seconds: float = 60.0


LIMITS = Limits()


def system_call_filter() -> Any:
    """Return the filter that `confine` loads, or None on systems without one.

    Raises:
        RuntimeError, ImportError: libseccomp or its binding is not installed.
    """
    if sys.platform != "linux":
        return None
    from pyseccomp import ALLOW, ERRNO, MASKED_EQ, Arg, SyscallFilter

    calls = SyscallFilter(ERRNO(EPERM))
    for name in _SYSTEM_CALLS:
        calls.add_rule(ALLOW, name)
    for name in _NOT_EXECUTABLE:
        calls.add_rule(ALLOW, name, Arg(2, MASKED_EQ, PROT_EXEC, 0))
    return calls


def confine(limits: Limits, calls: Any, parent: int) -> None:
    """Drop all rights that decoding does not need; no file or process can be opened from here on.

    Expects that only the descriptors 0 to 3 are open.

    Args:
        limits: the limits for the file.
        calls: the result of `system_call_filter`.
        parent: process id of the process that forked this one; its end also ends this process.
    """
    if sys.platform == "linux":
        _tell_linux(parent)
        limit(resource.RLIMIT_AS, _address_space() + limits.memory)
    # The first signal can be caught, the second cannot.
    limit(resource.RLIMIT_CPU, limits.cpu_seconds, limits.cpu_seconds + 1)
    limit(resource.RLIMIT_CORE, 0)
    limit(resource.RLIMIT_FSIZE, 0)
    limit(resource.RLIMIT_NPROC, 0)
    limit(resource.RLIMIT_NOFILE, 4)
    if calls is not None:
        calls.load()


def limit(kind: int, soft: int, hard: int | None = None) -> None:
    """Set one of this process's limits, keeping a lower one."""
    highest = resource.getrlimit(kind)[1]
    wanted = (soft, soft if hard is None else hard)
    if highest != resource.RLIM_INFINITY:
        wanted = (min(wanted[0], highest), min(wanted[1], highest))
    resource.setrlimit(kind, wanted)


def _tell_linux(parent: int) -> None:
    # If memory runs out, this process should be killed first; some containers do not allow this.
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    for option, value in (
        (PR_SET_PDEATHSIG, signal.SIGKILL),
        (PR_SET_NO_NEW_PRIVS, 1),
        (PR_SET_DUMPABLE, 0),
    ):
        if prctl(option, value, 0, 0, 0):
            raise OSError(ctypes.get_errno(), f"prctl({option}) failed")
    if os.getppid() != parent:  # the parent died before the request
        sys.exit(1)


def _address_space() -> int:
    """Return the number of bytes mapped by this process."""
    return int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
