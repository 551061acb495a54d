"""Statistics of a history."""

from collections import Counter
from dataclasses import dataclass, fields

from tests.faults.evidence import ACCEPTED, FINAL
from tests.faults.history import Answered, Faulted, History, Posted, Seen, Told


@dataclass(frozen=True)
class Tally:
    """Numbers of requests, faults and accepted jobs."""

    faults: int = 0
    posts: int = 0
    accepted: int = 0
    refused: int = 0
    ended: int = 0
    webhooks: int = 0

    @classmethod
    def of(cls, history: History) -> "Tally":
        """Count the events of a history."""
        responses = list(history.each(Answered))
        return cls(
            faults=sum(1 for _ in history.each(Faulted)),
            posts=sum(1 for _ in history.each(Posted)),
            accepted=len({each.job_id for each in responses if each.status in ACCEPTED}),
            refused=sum(1 for each in responses if each.status not in ACCEPTED),
            ended=len({look.job_id for look in history.each(Seen) if look.status in FINAL}),
            webhooks=sum(1 for _ in history.each(Told)),
        )

    def __add__(self, other: "Tally") -> "Tally":
        return Tally(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(Tally)))

    def __str__(self) -> str:
        return (
            f"{self.faults} faults injected; {self.posts} posts sent, {self.accepted} jobs "
            f"accepted, {self.refused} answers refused; {self.ended} ends seen, "
            f"{self.webhooks} webhooks received"
        )


def faults_by_target(history: History) -> Counter[str]:
    """Return how often each fault hit each target, as `kill worker-1`."""
    return Counter(f"{fault.deed} {fault.target}" for fault in history.each(Faulted))
