"""Readiness: whether the components take writes, checked once for all who ask."""

import asyncio
import time
from typing import Protocol

from jobs.errors import JobsError, StoreReadOnly

FRESH_SECONDS = 3.0
"""For how long the outcome of a check is returned without another one."""


class Component(Protocol):
    """What the service needs to be ready."""

    def ping(self) -> None:
        """Return if it takes writes.

        Raises:
            StoreReadOnly: it only responds.
            JobsError: it is unavailable.
        """


class Probe:
    """Checks one component: one check at a time, and none while the last outcome is fresh."""

    def __init__(self, component: Component) -> None:
        self._component = component
        self._check: asyncio.Task[str | None] | None = None
        self._checked_at = float("-inf")

    async def outage(self) -> str | None:
        """Return None if the component takes writes, otherwise what to add to its name."""
        if self._check is None or (self._check.done() and not self._is_fresh()):
            self._check = asyncio.create_task(self._run())
        # Shielded: others may wait for the same check.
        return await asyncio.shield(self._check)

    def _is_fresh(self) -> bool:
        return time.monotonic() - self._checked_at < FRESH_SECONDS

    async def _run(self) -> str | None:
        # Not in the threads of the routes: while a store does not respond, all may be waiting.
        outage = await asyncio.to_thread(self._outage)
        self._checked_at = time.monotonic()
        return outage

    def _outage(self) -> str | None:
        try:
            self._component.ping()
        except StoreReadOnly:
            return " (refuses writes)"
        except JobsError:
            return ""
        return None


class ReadinessProbes:
    """The probes of Valkey and the object store."""

    def __init__(self, store: Component, storage: Component) -> None:
        self._probes = {"store": Probe(store), "storage": Probe(storage)}

    async def outages(self) -> dict[str, str | None]:
        """Return for each component None, or what to add to the name of one that is unavailable."""
        outages = await asyncio.gather(*(probe.outage() for probe in self._probes.values()))
        return dict(zip(self._probes, outages, strict=True))
