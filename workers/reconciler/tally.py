"""What one round of the reconciler repaired."""

from dataclasses import astuple, dataclass


@dataclass(frozen=True)
class Tally:
    """Number of jobs repaired in one round, by action.

    `swept` counts assets, unknown jobs and incomplete uploads whose objects were older than the
    retention; `lost` counts the failed jobs whose every worker was lost.
    """

    requeued: int = 0
    failed: int = 0
    lost: int = 0
    dispatched: int = 0
    deleted: int = 0
    restored: int = 0
    cleared: int = 0
    swept: int = 0

    def __add__(self, other: "Tally") -> "Tally":
        """Return the sum, action by action."""
        return Tally(*map(sum, zip(astuple(self), astuple(other), strict=True)))
