"""The rule of the ScaledObject in deploy/kubernetes, for a system on this machine."""

import math
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import yaml

KUBERNETES = Path(__file__).parents[2] / "deploy" / "kubernetes"
SCALED_OBJECT = KUBERNETES / "components" / "keda" / "scaled-object.yaml"


@dataclass(frozen=True)
class Rule:
    """How many workers there should be; all times are in seconds.

    Attributes:
        jobs_per_worker: jobs queued or processing for each worker.
        fewest, most: limits of the number of workers.
        poll: time between two decisions.
        cooldown: time without jobs after which there are `fewest` workers.
        window: time for which a need is remembered before workers are removed.
        shrink, shrink_period: the share of the workers that may be removed, and in which time.
        grow_period: time in which the workers may double, or become four more. This is the default
            of Kubernetes (https://kubernetes.io/docs/tasks/run-application/horizontal-pod-autoscale).
    """

    jobs_per_worker: float
    fewest: int
    most: int
    poll: float
    cooldown: float
    window: float
    shrink: float
    shrink_period: float
    grow_period: float

    @classmethod
    def of_scaled_object(cls, *, most: int, speed: float) -> Self:
        """Return the rule of the ScaledObject, with its times divided by `speed`."""
        spec: dict[str, Any] = yaml.safe_load(SCALED_OBJECT.read_text())["spec"]
        (trigger,) = spec["triggers"]
        down = spec["advanced"]["horizontalPodAutoscalerConfig"]["behavior"]["scaleDown"]
        (policy,) = down["policies"]
        return cls(
            jobs_per_worker=float(trigger["metadata"]["threshold"]),
            fewest=spec["minReplicaCount"],
            most=min(most, spec["maxReplicaCount"]),
            poll=spec["pollingInterval"] / speed,
            cooldown=spec["cooldownPeriod"] / speed,
            window=down["stabilizationWindowSeconds"] / speed,
            shrink=policy["value"] / 100,
            shrink_period=policy["periodSeconds"] / speed,
            grow_period=15 / speed,
        )

    def need(self, open_jobs: int) -> int:
        """Return the number of workers for this many jobs, without looking back."""
        return min(self.most, math.ceil(open_jobs / self.jobs_per_worker))


@dataclass
class Controller:
    """Decides as KEDA does with the HorizontalPodAutoscaler that it makes.

    KEDA starts the first worker and removes the last one; in between, the autoscaler adds workers
    at once and removes them when they have not been needed for a while.
    """

    rule: Rule
    current: int = 0
    _active_at: float = -math.inf
    _needs: deque[tuple[float, int]] = field(default_factory=deque)
    _counts: deque[tuple[float, int]] = field(default_factory=deque)

    def decide(self, now: float, open_jobs: int) -> int:
        """Return the number of workers there should be, at a time in seconds."""
        need = self.rule.need(open_jobs)
        self._needs.append((now, need))
        self._counts.append((now, self.current))
        if open_jobs:
            self._active_at = now
        if now - self._active_at > self.rule.cooldown:
            self.current = self.rule.fewest
        elif need > self.current:
            fewest = min(_since(self._counts, now - self.rule.grow_period))
            self.current = min(need, max(2 * fewest, fewest + 4))
        else:
            remembered = max(_since(self._needs, now - self.rule.window))
            most = max(_since(self._counts, now - self.rule.shrink_period))
            floor = int(most * (1 - self.rule.shrink))
            self.current = min(self.current, max(remembered, floor, 1))
        return self.current


def _since(values: deque[tuple[float, int]], start: float) -> list[int]:
    return [value for at, value in values if at >= start]
