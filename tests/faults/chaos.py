"""Breaks a loaded system at random for minutes, then heals it and checks every promise.

    python -m tests.faults.chaos --minutes 10 --seed 7

A run is a row of chapters of a minute. Each ends with everything healed, every job awaited and
the checker's judgement. What is drawn depends on the seed alone; what comes of it does not.
"""

import argparse
import random
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from redis import Redis
from redis.exceptions import RedisError

from deploy.processes import LOOPBACK
from jobs.errors import Unavailable
from jobs.job import JobStatus, Priority
from jobs.layout import LEADER, index_key
from jobs.queue import JobQueue, create_celery, queue_name
from tests.faults.clock import Clock, find_faketime
from tests.faults.fleet import CHILD
from tests.faults.gateway import Gateway, Mood
from tests.faults.history import Faulted, Revived, Seen
from tests.faults.load import EXPECTED, Load, serving_inputs
from tests.faults.plan import Deed, Fault, draw
from tests.faults.reckoning import Reckoning
from tests.faults.snapshot import Snapshot
from tests.faults.system import VALKEY, FaultySystem, PromiseBroken
from tests.faults.tally import Tally

CHAPTER = 60.0
"""Seconds."""

EMPTIED_EVERY = 4
"""Chapters from one in which Valkey is emptied to the next."""

EMPTIED_FIRST = 2

LOOK_SECONDS = 0.1
HOUR = 3600
COPIES = 3
"""How often messages are repeated."""

ENVIRONMENT = {
    "AMIGO_WEBHOOK_HOURS": "1000",  # the clock steps by hours
    "AMIGO_RETRY_PAUSE_SECONDS": "0.02",  # pauses grow, and here jobs have many setbacks
}


@dataclass
class Breaker:
    """Breaks and mends one system as a plan says, from the thread that started the system."""

    system: FaultySystem
    gateway: Gateway
    clock: Clock | None
    reckoning: Reckoning
    _mends: list[tuple[float, Fault]] = field(default_factory=list)
    _hours: int = 0

    def run(self, faults: tuple[Fault, ...], seconds: float) -> None:
        """Do all that is planned for a chapter, and keep alive what is not to be dead."""
        began = time.monotonic()
        coming = list(faults)
        while (now := time.monotonic() - began) < seconds:
            while coming and coming[0].at <= now:
                self._begin(coming.pop(0), now)
            for due, fault in [each for each in self._mends if each[0] <= now]:
                self._mends.remove((due, fault))
                self._end(fault)
            self._supervise()
            self._tell(now)
            time.sleep(LOOK_SECONDS)
        self._tell(seconds, "\n")

    def heal(self) -> None:
        """Mend everything, and wait until all of it is ready."""
        for _, fault in self._mends:
            self._end(fault)
        self._mends.clear()
        self.system.revive_all()
        self.reckoning.read_logs(self.system)

    def _begin(self, fault: Fault, now: float) -> None:
        ways: dict[Deed, Callable[[Fault], None]] = {
            Deed.KILL: lambda fault: self.system.kill(fault.target),
            Deed.STOP: lambda fault: self.system.freeze(fault.target),
            Deed.TERMINATE: lambda fault: self.system.ask_to_stop(fault.target),
            Deed.REFUSE: lambda _: self._turn(Mood.CLOSED, fault),
            Deed.BREAK: lambda _: self._turn(Mood.BROKEN, fault),
            Deed.FILL_MEMORY: lambda _: self._configure("1mb", fault),
            Deed.FILL_DISK: self._fill_disk,
            Deed.DROP: self._drop,
            Deed.REPEAT: self._repeat,
            Deed.GARBLE: self._garble,
            Deed.DEPOSE: self._depose,
            Deed.STEP: self._step,
            Deed.EMPTY: self._empty,
        }
        # What is dead or frozen already cannot be struck again.
        with suppress(ProcessLookupError, RedisError, Unavailable):
            ways[fault.deed](fault)
            self._mends.append((now + fault.lasts, fault))

    def _end(self, fault: Fault) -> None:
        with suppress(ProcessLookupError, RedisError):
            match fault.deed:
                case Deed.STOP:
                    self.system.thaw(fault.target)
                case Deed.REFUSE | Deed.BREAK:
                    self.gateway.mood = Mood.OPEN
                case Deed.FILL_MEMORY:
                    self._configure("0", None)
                case Deed.FILL_DISK:
                    self._limit_disk(-1)
                case _:
                    return
            self.system.history.record(Revived(fault.target))

    def _tell(self, now: float, end: str = "") -> None:
        """Show how it stands on a line that is written over."""
        if sys.stderr.isatty():
            tally = Tally.of(self.system.history)
            print(f"\r{now:5.1f} s  {tally}", end=end, file=sys.stderr, flush=True)

    def _supervise(self) -> None:
        """Start again what died and is not to be dead any more, as a supervisor would."""
        held = {fault.target for _, fault in self._mends if fault.deed is not Deed.STOP}
        dead = [
            name
            for name in self.system.names
            if not name.endswith(CHILD) and name not in held and not self.system.is_alive(name)
        ]
        if dead:
            self.reckoning.read_logs(self.system, dead)
            self.system.relaunch(*dead)

    def _note(self, fault: Fault, where: str = "") -> None:
        self.system.history.record(Faulted(fault.deed, fault.target, where))

    def _turn(self, mood: Mood, fault: Fault) -> None:
        self.gateway.mood = mood
        self._note(fault)

    def _configure(self, memory: str, fault: Fault | None) -> None:
        with self._valkey() as client:
            client.config_set("maxmemory", memory)
        if fault:
            self._note(fault)

    def _fill_disk(self, fault: Fault) -> None:
        files = self.system.valkey.directory.rglob("*.aof")
        self._limit_disk(max(file.stat().st_size for file in files) + 100)
        self._note(fault)

    def _limit_disk(self, size: int) -> None:
        resource.prlimit(self.system.pid(VALKEY), resource.RLIMIT_FSIZE, (size, -1))

    def _drop(self, fault: Fault) -> None:
        with self._valkey() as client:
            if client.rpop(queue_name(Priority.NORMAL)):
                self._note(fault)

    def _repeat(self, fault: Fault) -> None:
        queue = JobQueue(create_celery(self.system.settings))
        with self._valkey() as client:
            job_ids = [
                str(job_id)
                for status in JobStatus
                for job_id in client.zrange(index_key(status), 0, 2)
            ]
        for job_id in job_ids * COPIES:
            queue.dispatch(job_id)
            self.reckoning.repeated += 1
        if job_ids:
            self._note(fault, f"{len(job_ids) * COPIES} messages")

    def _garble(self, fault: Fault) -> None:
        with self._valkey() as client:
            client.lpush(queue_name(Priority.NORMAL), b"\xff no message")
        self._note(fault)

    def _depose(self, fault: Fault) -> None:
        with self._valkey() as client:
            client.delete(LEADER)
        self._note(fault)

    def _step(self, fault: Fault) -> None:
        if self.clock:
            self._hours += 1
            self.clock.step(self._hours * HOUR)
            self._note(fault, f"+1 h, {self._hours} h in all")

    def _empty(self, fault: Fault) -> None:
        """Lose all that Valkey has; which jobs had ended by then, nobody could tell later."""
        finals = [status for status in JobStatus if status.is_final]
        with self._valkey() as client, client.pipeline() as pipe:
            for status in finals:
                pipe.zrange(index_key(status), 0, -1)
            *ended, _ = pipe.flushall().execute()
        for status, job_ids in zip(finals, ended, strict=True):
            for job_id in job_ids:
                self.system.history.record(Seen(job_id, status, 1.0))
        self._note(fault)

    def _valkey(self) -> Redis:
        return Redis.from_url(
            self.system.valkey.url,
            socket_timeout=1,
            socket_connect_timeout=1,
            decode_responses=True,
        )


@dataclass
class Chaos:
    """One run: a system, its load and what breaks it."""

    system: FaultySystem
    breaker: Breaker
    inputs: str
    rng: random.Random
    rate: float
    reckoning: Reckoning

    def chapter(self, number: int, seconds: float) -> None:
        """Load and break the system for so long, then heal it and check what was promised.

        Raises:
            PromiseBroken, TimeoutError: with the story.
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
        # A key's holder is lost with Valkey: whoever was answered must not ask again.
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
        healed = time.monotonic()
        self.breaker.heal()
        snapshot = system.check(*load.posts)
        self.reckoning.add_chapter(system.history, snapshot, time.monotonic() - healed)
        if odd := unexpected_failures(snapshot):
            story = system.history.story(frozenset(odd))
            raise PromiseBroken("\n".join((*odd.values(), story)))


def unexpected_failures(snapshot: Snapshot) -> dict[str, str]:
    """Return a sentence on each job that failed for a reason it should not have."""
    return {
        job.id: f"{job.id} failed with {job.failure}"
        for job in snapshot.jobs.values()
        if job.failure and job.failure.code not in EXPECTED[job.options.seed]
    }


def run(minutes: float, seed: int, rate: float, folder: Path) -> Reckoning:
    """Run the chaos and return its reckoning, whose `broken` tells of promises not kept."""
    reckoning = Reckoning()
    with Gateway().running() as gateway, serving_inputs() as inputs:
        environment = {**ENVIRONMENT, "AMIGO_S3_ENDPOINT_URL": gateway.url}
        system = FaultySystem(
            folder,
            services=2,
            workers=2,
            housekeepings=2,
            couriers=2,
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
    """Run the chaos and print the table; the exit status is 1 if a promise was broken."""
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


if __name__ == "__main__":
    main()
