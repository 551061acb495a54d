"""The statistics of a chaos run as a table."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from jobs.job import JobStatus
from tests.faults.evidence import ACCEPTED, FINAL
from tests.faults.fleet import CHILD
from tests.faults.history import (
    Answered,
    Deleted,
    Faulted,
    GivenUp,
    History,
    Posted,
    Reopened,
    Seen,
    Told,
    Unanswered,
)
from tests.faults.snapshot import Snapshot
from tests.faults.system import FaultySystem

STALE = "result dropped"
NOT_TAKEN = "not claimed"
"""As in the workers' logs."""

WRONGS = {
    "jobs lost": ("accepted_jobs_end",),
    "jobs that ended twice": (
        "nothing_follows_an_end",
        "ends_are_told_once",
        "one_key_makes_one_job",
    ),
    "leftover objects": ("no_object_is_left_over",),
    "missing webhooks": ("ends_are_told",),
}
"""The checker's rules behind each row."""


@dataclass
class Reckoning:
    """Statistics that grow with each chapter."""

    chapters: int = 0
    repeated: int = 0
    """Number of messages sent again."""
    broken: str = ""
    """The history of the broken guarantee."""
    faults: Counter[str] = field(default_factory=Counter)
    counts: Counter[str] = field(default_factory=Counter)
    failures: Counter[str] = field(default_factory=Counter)
    longest_job: float = 0.0
    """Seconds from the 202 to the end."""
    longest_recovery: float = 0.0
    """Seconds from the last repair to the last job's end, including the sweep."""
    _read: dict[str, tuple[int, int]] = field(default_factory=dict)

    def add_chapter(self, history: History, snapshot: Snapshot, recovery: float) -> None:
        """Add a chapter that ended well."""
        self.chapters += 1
        self.longest_recovery = max(self.longest_recovery, recovery)
        self.longest_job = max(self.longest_job, *_waits(history), 0.0)
        for fault in history.each(Faulted):
            self.faults[f"{fault.deed} {_kind(fault.target)}"] += 1
        responses = list(history.each(Answered))
        accepted = {response.job_id for response in responses if response.status in ACCEPTED}
        deleted = {each.job_id for each in history.each(Deleted) if each.by == "caller"}
        self.counts.update(
            requests=sum(1 for _ in history.each(Posted)),
            refused=sum(response.status not in ACCEPTED for response in responses),
            unanswered=sum(1 for _ in history.each(Unanswered)),
            given_up=sum(1 for _ in history.each(GivenUp)),
            accepted=len(accepted),
            deleted=len(deleted),
            # The checker has verified that each was seen to end.
            forgotten=len(accepted - deleted - snapshot.jobs.keys()),
            reopened=len({each.job_id for each in history.each(Reopened)} & snapshot.jobs.keys()),
            webhooks=sum(1 for _ in history.each(Told)),
        )
        self.counts.update(job.status.value for job in snapshot.jobs.values())
        self.counts.update(
            wanted=sum(
                job.webhook_url is not None and job.status.is_final
                for job in snapshot.jobs.values()
            )
        )
        self.failures.update(job.failure.code for job in snapshot.jobs.values() if job.failure)

    def read_logs(self, system: FaultySystem, names: Iterable[str] | None = None) -> None:
        """Count what the workers logged, before a restart rotates their logs."""
        for name in names if names is not None else system.names:
            if name.startswith("worker") and not name.endswith(CHILD):
                self._read_log(system, name)

    def _read_log(self, system: FaultySystem, name: str) -> None:
        log = system.folder / "logs" / f"{name}.log"
        inode, start = self._read.get(name, (0, 0))
        stat = log.stat()
        with log.open("rb") as file:
            file.seek(start if stat.st_ino == inode else 0)
            text = file.read().decode(errors="replace")
        self._read[name] = (stat.st_ino, stat.st_size)
        self.counts.update(stale=text.count(STALE), not_taken=text.count(NOT_TAKEN))

    def line(self) -> str:
        """Return a one-line summary."""
        return (
            f"{sum(self.faults.values())} faults, {self.counts['requests']} requests, "
            f"{self.counts['accepted']} accepted, {self.counts['succeeded']} succeeded, "
            f"{self.counts['failed']} failed, {self.counts['canceled']} canceled; "
            + ("BROKEN" if self.broken else "all guarantees kept")
        )

    def table(self, minutes: float, seed: int) -> str:
        """Return all statistics as Markdown."""
        counts = self.counts
        rows: list[tuple[str, object]] = [
            ("seed, minutes, chapters", f"{seed}, {minutes:g}, {self.chapters}"),
            ("faults", sum(self.faults.values())),
            *((f"· {name}", number) for name, number in sorted(self.faults.items())),
            ("requests for jobs", counts["requests"]),
            ("· rejected (to be retried)", counts["refused"]),
            ("· without a response", counts["unanswered"]),
            ("· given up by callers", counts["given_up"]),
            ("jobs accepted", counts["accepted"]),
            *((f"· {status}", counts[status]) for status in JobStatus if status.is_final),
            *((f"· failed with `{code}`", n) for code, n in sorted(self.failures.items())),
            ("· deleted by callers", counts["deleted"]),
            ("· ended, then unknown after Valkey lost its data", counts["forgotten"]),
            ("· ended, then run again after Valkey lost its data", counts["reopened"]),
            *self._wrongs(),
            ("messages sent again", self.repeated),
            ("messages without a claim", counts["not_taken"]),
            ("stale results dropped", counts["stale"]),
            ("webhooks requested by recorded jobs", counts["wanted"]),
            ("webhooks received", counts["webhooks"]),
            ("longest time from 202 to the end, s", f"{self.longest_job:.1f}"),
            ("longest time from the last repair to rest, s", f"{self.longest_recovery:.1f}"),
        ]
        lines = (f"| {name} | {number} |" for name, number in rows)
        return "\n".join(("| | |", "|---|--:|", *lines))

    def _wrongs(self) -> list[tuple[str, object]]:
        """Return the violations of each rule; the guarantee is all zeros."""
        told = Counter(line.partition(":")[0] for line in self.broken.splitlines())
        rows = {name: sum(told[rule] for rule in rules) for name, rules in WRONGS.items()}
        is_other = bool(self.broken) and not any(rows.values())
        return [*rows.items(), ("other guarantees broken", int(is_other))]


def _waits(history: History) -> list[float]:
    """Return the seconds from each job's acceptance until its end was seen."""
    accepted: dict[str, float] = {}
    ended: dict[str, float] = {}
    for entry in history.entries:
        match entry.event:
            case Answered(status=status, job_id=str(job_id)) if status in ACCEPTED:
                accepted.setdefault(job_id, entry.at)
            case Seen(job_id=job_id, status=status) if status in FINAL:
                ended.setdefault(job_id, entry.at)
    return [ended[job_id] - accepted[job_id] for job_id in accepted.keys() & ended.keys()]


def _kind(target: str) -> str:
    """Return the kind of a process, without its number."""
    name = target.removesuffix(CHILD)
    role = name.rpartition("-")[0] or name
    return f"{role}'s child" if target.endswith(CHILD) else role
