"""Errors that keep the system from running on this machine.

DeployError
├── ProgramMissing    a program is not installed
├── StartFailed       a program ended before it was ready, or was not ready in time
└── AlreadyRunning    another supervisor uses the same directory
"""

from pathlib import Path

TAIL_LINES = 12


class DeployError(Exception):
    """Base class of errors that keep the system from running on this machine."""


class ProgramMissing(DeployError):
    """A program is not installed."""

    def __init__(self, program: str, provide: str) -> None:
        super().__init__(f"{program} is not installed. To install it: {provide}")


class StartFailed(DeployError):
    """A program ended before it was ready, or was not ready in time."""

    def __init__(self, name: str, reason: str, log: Path) -> None:
        super().__init__(f"{name} {reason}. Last lines of {log}:\n{tail(log)}")


class AlreadyRunning(DeployError):
    """Another supervisor uses the same directory."""


def tail(log: Path, lines: int = TAIL_LINES) -> str:
    """Return the last lines of a log, indented."""
    text = log.read_text(errors="replace") if log.exists() else "(the log is empty)"
    return "\n".join(f"    {line}" for line in text.splitlines()[-lines:])
