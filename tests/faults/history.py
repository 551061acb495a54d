"""The history of a system under test, in order: requests, responses, observations and faults.

A history only grows. Threads may share it; its times are seconds since its start.
"""

import json
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from threading import Lock
from typing import Literal, TypeVar


@dataclass(frozen=True)
class Posted:
    """A caller sent a request for a job."""

    key: str
    """Its Idempotency-Key."""
    webhook: bool = False
    """Whether it requested a webhook."""


@dataclass(frozen=True)
class Answered:
    """A request for a job got a response, or at least its head."""

    key: str
    status: int
    job_id: str | None = None


@dataclass(frozen=True)
class Unanswered:
    """The connection of a request for a job broke before the response."""

    key: str
    reason: str


@dataclass(frozen=True)
class GivenUp:
    """A caller gave up a request after several retries."""

    key: str
    reason: str


@dataclass(frozen=True)
class Seen:
    """A caller saw the state of a job."""

    job_id: str
    status: str
    progress: float
    stage: str | None = None


@dataclass(frozen=True)
class Lost:
    """A follower was told that the job does not exist, or got no more events."""

    job_id: str
    reason: str


@dataclass(frozen=True)
class Reopened:
    """The store lost a job that had ended, but not yet its journal entry: it may run again."""

    job_id: str


@dataclass(frozen=True)
class Canceled:
    """A caller requested cancellation of a job, and the response."""

    job_id: str
    status: int


@dataclass(frozen=True)
class Deleted:
    """A job was deleted: by its caller, by its retention, or at the end of a test."""

    job_id: str
    by: Literal["caller", "retention", "harness"] = "caller"


@dataclass(frozen=True)
class Told:
    """A webhook arrived, and the receiver's response."""

    job_id: str
    status: str
    message_id: str
    answer: int = 204


@dataclass(frozen=True)
class Forged:
    """A webhook arrived with an invalid signature."""

    reason: str


LOSE = "lose"
"""The action of the fault that deletes the store's data, and with it the jobs' records."""


@dataclass(frozen=True)
class Faulted:
    """A fault was injected: `kill valkey`, `stop worker-1.child`, `lose valkey`."""

    deed: str
    target: str
    where: str = ""
    """The step at which it happened, if any."""


@dataclass(frozen=True)
class Revived:
    """A fault was repaired."""

    target: str


Event = (
    Posted
    | Answered
    | Unanswered
    | GivenUp
    | Seen
    | Lost
    | Reopened
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
    """The history of one system."""

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
        """All events so far."""
        with self._lock:
            return tuple(self._entries)

    def each(self, kind: type[Kind]) -> Iterator[Kind]:
        """Yield the events of one kind, oldest first."""
        return (entry.event for entry in self.entries if isinstance(entry.event, kind))

    def story(self, job_ids: frozenset[str] = frozenset()) -> str:
        """Return the events, one per line; with jobs given, only theirs and the faults."""
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
