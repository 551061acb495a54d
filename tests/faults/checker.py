"""Checks whether a history and the final state keep the guarantees, and lists violations.

Pure: reads nothing but its two arguments. For every check, `test_checker.py` has a hand-written
history that it must reject.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from tests.faults import news, promises, remains
from tests.faults.evidence import Evidence
from tests.faults.history import History
from tests.faults.snapshot import Snapshot

Check = Callable[[Evidence], Iterator[tuple[str, str]]]
"""Yields each job that violates the guarantee, and a sentence about it."""

CHECKS: tuple[Check, ...] = (
    promises.accepted_jobs_end,
    promises.jobs_move_as_they_may,
    promises.nothing_follows_an_end,
    promises.ends_are_told_once,
    promises.attempts_grow,
    promises.attempts_are_accounted_for,
    promises.progress_grows,
    promises.results_are_the_winners,
    remains.videos_can_be_played,
    remains.no_object_is_left_over,
    remains.indexes_agree,
    remains.refusals_leave_nothing,
    remains.one_key_makes_one_job,
    remains.keys_lead_to_jobs,
    news.callers_saw_the_truth,
    news.callers_never_lose_a_job,
    news.ends_are_told,
    news.news_has_a_job,
    news.webhooks_are_signed,
)


@dataclass(frozen=True)
class Violation:
    """A broken guarantee."""

    check: str
    job_id: str
    sentence: str

    def __str__(self) -> str:
        return f"{self.check}: {self.job_id or '-'} {self.sentence}"


def find_violations(history: History, snapshot: Snapshot) -> list[Violation]:
    """Return every broken guarantee, in the order of the checks."""
    evidence = Evidence(history, snapshot)
    return [
        Violation(check.__name__, job_id, sentence)
        for check in CHECKS
        for job_id, sentence in check(evidence)
    ]
