"""Injects random faults into a loaded system, then repairs it and checks all guarantees.

    python -m tests.faults.chaos --minutes 10 --seed 7

A run is a series of chapters of a minute. At the end of each, everything is repaired, all jobs are
awaited and the checker runs. The faults depend only on the seed; their effect does not.
"""

import argparse
import random
import shutil
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from deploy.standalone.processes import LOOPBACK
from tests.faults.breaker import Breaker
from tests.faults.clock import Clock, find_faketime
from tests.faults.gateway import Gateway
from tests.faults.load import EXPECTED, Load, serving_inputs
from tests.faults.plan import draw
from tests.faults.reckoning import Reckoning
from tests.faults.snapshot import Snapshot
from tests.faults.system import VALKEY, FaultySystem, PromiseBroken

CHAPTER = 60.0
"""Seconds."""

EMPTIED_EVERY = 4
"""Number of chapters between two losses of Valkey's data."""

EMPTIED_FIRST = 2

ENVIRONMENT = {
    "AMIGO_WEBHOOK_HOURS": "1000",  # the clock steps by hours
    "AMIGO_RETRY_PAUSE_SECONDS": "0.001",  # delays grow, and jobs have many failures here
}


@dataclass
class Chaos:
    """One run: a system, its load and its faults."""

    system: FaultySystem
    breaker: Breaker
    inputs: str
    rng: random.Random
    rate: float
    reckoning: Reckoning

    def chapter(self, number: int, seconds: float) -> None:
        """Load the system and inject faults for the given time, then repair it and check the
        guarantees.

        Raises:
            PromiseBroken, TimeoutError: with the history.
        """
        system, is_emptied = self.system, number % EMPTIED_EVERY == EMPTIED_FIRST
        system.settle()
        system.begin_chapter()
        faults = draw(
            self.rng,
            system.names,
            seconds,
            has_clock=self.breaker.clock is not None,
            is_emptied=is_emptied,
        )
        load_rng = random.Random(self.rng.random())
        # Idempotency-Keys are lost with Valkey, so answered requests must not be repeated.
        load = Load(
            system.callers,
            system.history,
            self.inputs,
            load_rng,
            self.rate,
            repeats=not is_emptied,
        )
        with load.running():
            self.breaker.run(faults, seconds)
            load.stop()
            healed = time.monotonic()
            self.breaker.heal()
        snapshot = system.check(*load.posts)
        self.reckoning.add_chapter(system.history, snapshot, time.monotonic() - healed)
        if odd := unexpected_failures(snapshot):
            story = system.history.story(frozenset(odd))
            raise PromiseBroken("\n".join((*odd.values(), story)))


def unexpected_failures(snapshot: Snapshot) -> dict[str, str]:
    """Return a sentence about each job that failed for an unexpected reason."""
    return {
        job.id: f"{job.id} failed with {job.failure}"
        for job in snapshot.jobs.values()
        if job.failure and job.failure.code not in EXPECTED[job.options.seed]
    }


def run(minutes: float, seed: int, rate: float, folder: Path) -> Reckoning:
    """Run the chaos test and return its statistics; `broken` lists broken guarantees."""
    reckoning = Reckoning()
    with Gateway().running() as gateway, serving_inputs() as inputs:
        environment = {**ENVIRONMENT, "AMIGO_S3_ENDPOINT_URL": gateway.url}
        system = FaultySystem(
            folder,
            services=2,
            workers=2,
            reconcilers=2,
            senders=2,
            keys=True,
            environment=environment,
        )
        gateway.target = (LOOPBACK, system.s3.ports.s3)
        with system:
            clock = Clock(folder / "clock") if find_faketime() else None
            if clock:
                system.restart(VALKEY, **clock.environment)
            breaker = Breaker(system, gateway, clock, reckoning)
            chaos = Chaos(system, breaker, inputs, random.Random(seed), rate, reckoning)
            _tell_chapters(chaos, minutes * 60)
    return reckoning


def _tell_chapters(chaos: Chaos, seconds: float) -> None:
    deadline, number = time.monotonic() + seconds, 0
    while (left := deadline - time.monotonic()) > 0 and not chaos.reckoning.broken:
        number += 1
        try:
            chaos.chapter(number, min(left, CHAPTER))
        except (PromiseBroken, TimeoutError) as broken:
            chaos.reckoning.broken = str(broken)
            chaos.system.history.write(chaos.system.folder / "history.jsonl")
        print(f"chapter {number}: {chaos.reckoning.line()}", flush=True)


def main() -> None:
    """Run the chaos test and print the table; the exit status is 1 if a guarantee was broken."""
    parser = argparse.ArgumentParser(description=__doc__, prog="python -m tests.faults.chaos")
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rate", type=float, default=1.0, help="requests a second")
    arguments = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="amigo-chaos-"))
    reckoning = run(arguments.minutes, arguments.seed, arguments.rate, folder)
    print(f"\n{reckoning.table(arguments.minutes, arguments.seed)}")
    if reckoning.broken:
        sys.exit(f"\nA promise was broken; data, logs and history: {folder}\n{reckoning.broken}")
    shutil.rmtree(folder)


if __name__ == "__main__":
    main()
