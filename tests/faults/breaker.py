"""Injects and repairs faults in a running system by a plan, and restarts dead processes."""

import resource
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

from redis import Redis
from redis.exceptions import RedisError

from jobs.errors import Unavailable
from jobs.job import JobStatus, Priority
from jobs.queue import JobQueue, create_celery, queue_name
from jobs.s3.paths import JOBS_PREFIX, request_key
from jobs.valkey.keys import CLEANUPS, LEADER, index_key
from tests.faults.clock import Clock
from tests.faults.fleet import CHILD
from tests.faults.gateway import Gateway, Mood
from tests.faults.history import Faulted, Reopened, Revived, Seen
from tests.faults.plan import Deed, Fault
from tests.faults.reckoning import Reckoning
from tests.faults.system import VALKEY, FaultySystem
from tests.faults.tally import Tally

LOOK_SECONDS = 0.1
HOUR = 3600
COPIES = 3
"""How often messages are duplicated."""


@dataclass
class Breaker:
    """Injects and repairs faults in one system, in the thread that started the system."""

    system: FaultySystem
    gateway: Gateway
    clock: Clock | None
    reckoning: Reckoning
    _mends: list[tuple[float, Fault]] = field(default_factory=list)
    _hours: int = 0
    """How far Valkey's clock is ahead."""
    _stepped: int = 0
    """How much of this was added since the last repair."""

    def run(self, faults: tuple[Fault, ...], seconds: float) -> None:
        """Carry out the plan of a chapter, and restart processes that should be running."""
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
        """Repair everything, and wait until it is ready.

        After a clock step, jobs seem to have waited for hours, and a lost message is only sent
        again after as long: so the clock is advanced by as much again.
        """
        for _, fault in self._mends:
            self._end(fault)
        self._mends.clear()
        self.system.revive_all()
        self._configure("0", None)
        self._limit_disk(-1)
        self._go_ahead(self._stepped)
        self._stepped = 0
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
        # Processes that are dead or frozen already cannot be struck.
        with suppress(ProcessLookupError, RedisError, Unavailable):
            ways[fault.deed](fault)
            self._mends.append((now + fault.lasts, fault))

    def _end(self, fault: Fault) -> None:
        with suppress(ProcessLookupError, RedisError):
            match fault.deed:
                case Deed.STOP:
                    self.system.thaw(fault.target)
                    return  # with that recorded
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
        """Show the progress on a line that is overwritten."""
        if sys.stderr.isatty():
            tally = Tally.of(self.system.history)
            print(f"\r{now:5.1f} s  {tally}", end=end, file=sys.stderr, flush=True)

    def _supervise(self) -> None:
        """Restart processes that died and are due again, like a supervisor."""
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
        self._go_ahead(1)
        self._stepped += 1
        self._note(fault, f"+1 h, {self._hours} h in all")

    def _go_ahead(self, hours: int) -> None:
        if self.clock and hours:
            self._hours += hours
            self.clock.step(self._hours * HOUR)

    def _empty(self, fault: Fault) -> None:
        """Delete all data of Valkey, after which nobody can tell which jobs had ended.

        A job that had just ended still has its journal entry, from which it is restored.
        """
        finals = [status for status in JobStatus if status.is_final]
        with self._valkey() as client, client.pipeline() as pipe:
            for status in finals:
                pipe.zrange(index_key(status), 0, -1)
            pipe.zrange(CLEANUPS, 0, -1)
            *ended, uncleared, _ = pipe.flushall().execute()
        for status, job_ids in zip(finals, ended, strict=True):
            for job_id in job_ids:
                self.system.history.record(Seen(job_id, status, 1.0))
        self._note(fault)
        entries = {item.key for item in self.system.storage.objects(JOBS_PREFIX)}
        for job_id in uncleared:
            if request_key(job_id) in entries:
                self.system.history.record(Reopened(job_id))

    def _valkey(self) -> Redis:
        return Redis.from_url(
            self.system.valkey.url,
            socket_timeout=5,
            socket_connect_timeout=1,
            decode_responses=True,
        )
