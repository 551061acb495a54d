"""What happened to a system under test, in order: what was asked, answered, seen, told and broken.

A history only grows. Threads may write to one; its times are seconds since it began.
"""

import json
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from threading import Lock
from typing import Literal, TypeVar

Witness = Literal["client", "store"]


@dataclass(frozen=True)
class Posted:
    """A caller sent a request for a job."""

    key: str
    """Its Idempotency-Key."""
    webhook: bool = False
    """Whether it asked to be told of the end."""


@dataclass(frozen=True)
class Answered:
    """A request for a job was answered, a head of an answer at least."""

    key: str
    status: int
    job_id: str | None = None


@dataclass(frozen=True)
class Unanswered:
    """The connection of a request for a job broke before its answer came."""

    key: str
    reason: str


@dataclass(frozen=True)
class GivenUp:
    """A caller that tried again and again gave its request up."""

    key: str
    reason: str


@dataclass(frozen=True)
class Seen:
    """A caller saw where a job stands."""

    job_id: str
    status: str
    progress: float
    stage: str | None = None


@dataclass(frozen=True)
class Lost:
    """A caller that followed a job was told that there is none, or nothing any more."""

    job_id: str
    reason: str


@dataclass(frozen=True)
class Canceled:
    """A caller asked for a job to be canceled, and how that was answered."""

    job_id: str
    status: int


@dataclass(frozen=True)
class Deleted:
    """A job was forgotten: at its caller's wish, after its time, or because a test is over."""

    job_id: str
    by: Literal["caller", "retention", "harness"] = "caller"


@dataclass(frozen=True)
class Told:
    """A webhook came, and how the receiver answered it."""

    job_id: str
    status: str
    message_id: str
    answer: int = 204


@dataclass(frozen=True)
class Forged:
    """A webhook came that nobody who checks signatures would believe."""

    reason: str


LOSE = "lose"
"""The deed of a fault that takes the store's data away; the records of jobs are gone then."""


@dataclass(frozen=True)
class Faulted:
    """Something was broken on purpose: `kill valkey`, `stop worker-1.child`, `lose valkey`."""

    deed: str
    target: str
    where: str = ""
    """The step at which it happened, if it was one."""


@dataclass(frozen=True)
class Revived:
    """What had been broken works again."""

    target: str


Event = (
    Posted
    | Answered
    | Unanswered
    | GivenUp
    | Seen
    | Lost
    | Canceled
    | Deleted
    | Told
    | Forged
    | Faulted
    | Revived
)
Kind = TypeVar("Kind", bound=Event)


@dataclass(frozen=True)
class Entry:
    """One event and its time, in seconds."""

    at: float
    event: Event

    def __str__(self) -> str:
        fields = ", ".join(f"{k}={v}" for k, v in asdict(self.event).items() if v not in ("", None))
        return f"{self.at:8.3f}  {type(self.event).__name__:<10} {fields}"


class History:
    """The record of one system."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._entries: list[Entry] = []
        self._lock = Lock()

    def record(self, event: Event) -> None:
        """Add an event that happened now."""
        with self._lock:
            self._entries.append(Entry(time.monotonic() - self._began, event))

    @property
    def entries(self) -> tuple[Entry, ...]:
        """All that happened so far."""
        with self._lock:
            return tuple(self._entries)

    def each(self, kind: type[Kind]) -> Iterator[Kind]:
        """Yield the events of one kind, oldest first."""
        return (entry.event for entry in self.entries if isinstance(entry.event, kind))

    def story(self, job_ids: frozenset[str] = frozenset()) -> str:
        """Return what happened, a line an event; with jobs named, theirs and the faults alone."""
        return "\n".join(str(entry) for entry in self.entries if _concerns(entry.event, job_ids))

    def write(self, path: Path) -> None:
        """Write it as JSON lines."""
        with path.open("w") as file:
            for entry in self.entries:
                kind = type(entry.event).__name__
                line = {"at": round(entry.at, 6), "event": kind, **asdict(entry.event)}
                file.write(json.dumps(line) + "\n")


def _concerns(event: Event, job_ids: frozenset[str]) -> bool:
    return not job_ids or getattr(event, "job_id", None) in job_ids or isinstance(event, Faulted)
