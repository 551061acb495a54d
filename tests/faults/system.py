"""A complete real system on loopback, whose processes can be struck at any moment.

    valkey, s3 ──► service-1…, worker-1…, reconciler-1…, webhooks-1 ──► a receiver of webhooks

See `fleet` for the possible faults, `steps` for the moments.
"""

from collections.abc import Mapping
from contextlib import ExitStack, suppress
from dataclasses import replace
from pathlib import Path
from typing import Self

from pydantic import SecretStr

from deploy.standalone.child import Program
from deploy.standalone.processes import SeaweedServer, ValkeyServer, free_ports
from jobs.errors import JobNotFound, Unavailable
from jobs.s3.object_store import ObjectStorage
from jobs.s3.paths import JOBS_PREFIX, job_of, job_prefix, request_key
from jobs.settings import Settings
from jobs.valkey.api_keys import LOCAL_TENANT, ApiKeyStore, Quota
from jobs.valkey.connection import connect, translated_errors
from jobs.valkey.job_store import JobStore
from jobs.valkey.keys import CLEANUPS
from jobs.valkey.webhook_outbox import WEBHOOKS
from tests.faults import programs
from tests.faults.callers import MOST_CALLERS, Callers, Post
from tests.faults.checker import Violation, find_violations
from tests.faults.fleet import CHILD, Fleet
from tests.faults.history import Deleted, Faulted, History
from tests.faults.receiver import Receiver
from tests.faults.snapshot import Snapshot, take_snapshot
from tests.faults.tally import Tally
from tests.faults.traps import Strike, Trap
from tests.processes import end_of
from tests.waiting import PATIENCE, wait_for

VALKEY, S3 = "valkey", "s3"
TENANT = "tenant"
"""Owner of the jobs of a system that asks for keys."""


class PromiseBroken(AssertionError):
    """The system came to rest with a broken guarantee; the message contains the history."""


class NotAtRest(TimeoutError):
    """The system did not come to rest in time; the message contains the history."""


class FaultySystem(Fleet):
    """A system for fault tests; run it with `with FaultySystem(folder) as system:`.

    Args:
        folder: an empty folder, for data and logs.
        services: number of HTTP processes.
        workers: number of workers, each a parent and a child.
        reconcilers: number of reconcilers.
        webhook senders: number of webhook processes.
        keys: whether callers need an API key; they then have one, with an quota.
        environment: settings that override those in `programs.HASTE`.
    """

    def __init__(
        self,
        folder: Path,
        *,
        services: int = 1,
        workers: int = 1,
        reconcilers: int = 1,
        senders: int = 1,
        keys: bool = False,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__()
        self.folder = folder
        self.past = Tally()
        """Statistics of earlier chapters."""
        self.valkey, self.s3 = _stores(folder)
        self.environment = {
            **self.valkey.environment,
            **self.s3.environment,
            **programs.HASTE,
            "AMIGO_AUTHENTICATION": "keys" if keys else "open",
            **(environment or {}),
        }
        self._has_keys = keys
        self.settings = Settings(
            valkey_url=self.valkey.url,
            s3_endpoint_url=self.s3.url,
            s3_bucket=self.s3.bucket,
            s3_access_key=self.s3.access_key,
            s3_secret_key=SecretStr(self.s3.secret_key),
            lease_seconds=float(self.environment["AMIGO_LEASE_SECONDS"]),
        )
        self.store = JobStore.connect(self.settings)
        self.storage = ObjectStorage.connect(self.settings)
        self.receiver = Receiver(lambda: self.history, TENANT if keys else LOCAL_TENANT)
        ports = free_ports(services + workers)
        self.urls = tuple(map(programs.service_url, ports[:services]))
        self._programs = (
            replace(self.valkey.program(), name=VALKEY),
            replace(self.s3.program(), name=S3),
            *(self._service(n, port) for n, port in enumerate(ports[:services], 1)),
            *(self._worker(n, port) for n, port in enumerate(ports[services:], 1)),
            *(self._talkative("reconciler", n + 1) for n in range(reconcilers)),
            *(self._talkative("webhooks", n + 1) for n in range(senders)),
        )
        self._stack = ExitStack()
        self._callers: Callers

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            stack.enter_context(self.receiver.listening())
            stack.enter_context(self.running(self._programs))
            self._callers = Callers(
                lambda: self.history,
                self.urls,
                self.receiver.url,
                self.folder,
                self._make_key() if self._has_keys else "",
            )
            stack.callback(self._callers.close)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *exception: object) -> None:
        self._stack.close()

    # Faults at a step.

    def arm(self, name: str, strike: Strike) -> Trap:
        """Arm a strike at a step of a process, or of the first process of a role that reaches it.

        Args:
            name: a process, `worker-2.child`, or all of the same kind, `worker.child`.
            strike: see `steps.py` for the names of the steps.
        """
        trap = Trap(self.folder, name)
        trap.arm(strike)
        return trap

    def await_strike(self, trap: Trap, strike: Strike) -> str:
        """Return the process that reached the step, by now dead, frozen or waiting for its release.

        Raises:
            TimeoutError: none has reached it.
        """
        name = wait_for(lambda: trap.struck_by) or trap.name
        if strike.deed != "tell":
            self.history.record(Faulted(strike.deed, name, str(strike)))
        if strike.deed == "kill" and not name.endswith(CHILD):
            wait_for(lambda: not self._children[name].is_running)
        return name

    # Actions of callers.

    def post(self, **options: object) -> Post:
        """Submit a job and follow it, both in the background; see `Callers.post`."""
        return self._callers.post(**options)  # type: ignore[arg-type]

    @property
    def callers(self) -> Callers:
        """The callers that submit, cancel and delete."""
        return self._callers

    # Results.

    def settle(self, *posts: Post) -> None:
        """Wait until callers have their responses, all jobs have ended, and everything is swept.

        Raises:
            NotAtRest: this takes too long.
        """
        try:
            for post in posts:
                post.ended.exception(PATIENCE)
            wait_for(self._is_at_rest)
        except TimeoutError as error:
            raise NotAtRest(f"Not at rest: {self._unrest()}\n{self.report()}") from error

    def snapshot(self) -> Snapshot:
        """Return the content of the stores, as soon as both can be read.

        After being killed, SeaweedFS may refuse reads for some seconds although it accepts writes.
        """

        def read() -> Snapshot | None:
            with suppress(Unavailable):
                return take_snapshot(self.settings)
            return None

        snapshot = wait_for(read)
        assert snapshot is not None
        return snapshot

    def check(self, *posts: Post) -> Snapshot:
        """Wait until the system is at rest, and return its content.

        Raises:
            PromiseBroken: a guarantee was broken.
        """
        self.settle(*posts)
        snapshot = self.snapshot()
        if violations := find_violations(self.history, snapshot):
            raise PromiseBroken(self._accuse(violations))
        return snapshot

    def heal(self) -> None:
        """Repair everything that a test left broken: nothing armed, frozen or dead."""
        for trap in (*self.folder.glob("*.armed"), *self.folder.glob("*.struck")):
            trap.unlink()
        self.thaw_all()
        self.revive_all()

    def begin_chapter(self) -> None:
        """Delete all jobs and start a new history, so that each test has its own."""
        self.past += Tally.of(self.history)
        self.history = History()
        snapshot = self.snapshot()
        for job_id in {job_of(key) for key in snapshot.objects} - snapshot.jobs.keys():
            self.storage.delete_prefix(job_prefix(job_id))
        for job_id in {*snapshot.jobs, *(holder.job_id for holder in snapshot.holders)}:
            self.history.record(Deleted(job_id, by="harness"))
            with suppress(JobNotFound):
                self.store.delete(job_id)

    def report(self) -> str:
        """Return the history and the ends of all logs, including those before restarts."""
        logs = (path for log in self.logs for path in sorted(log.parent.glob(f"{log.name}*")))
        ends = (f"--- {log.name}\n{end_of(log)}" for log in logs)
        return "\n".join((self.history.story(), *ends))

    def _is_at_rest(self) -> bool:
        return not self._unrest()

    def _unrest(self) -> list[str]:
        """Return a description of what is still unfinished."""
        try:
            # In the order of the jobs' states, so that none is missed while moving.
            lost = self._num_to_restore()
            counts = self.store.counts()
            with connect(self.settings.valkey_url) as client, translated_errors():
                spent, webhooks = client.zcard(CLEANUPS), client.zcard(WEBHOOKS)
        except Unavailable as silent:
            return [str(silent)]
        waiting: dict[str, int] = {"to sweep": spent, "to tell": webhooks, "to restore": lost}
        waiting |= {status: number for status, number in counts.items() if not status.is_final}
        return [f"{number} {words}" for words, number in waiting.items() if number]

    def _num_to_restore(self) -> int:
        """Return the number of jobs with a journal entry and no record."""
        objects = {item.key for item in self.storage.objects(JOBS_PREFIX)}
        journaled = {job_of(key) for key in objects if key == request_key(job_of(key))}
        return sum(not self._is_known(job_id) for job_id in journaled)

    def _is_known(self, job_id: str) -> bool:
        try:
            self.store.get(job_id)
        except JobNotFound:
            return False
        return True

    def _accuse(self, violations: list[Violation]) -> str:
        job_ids = frozenset(each.job_id for each in violations if each.job_id)
        story = self.history.story(job_ids)
        return "\n".join((*map(str, violations), story, self.report()))

    def _make_key(self) -> str:
        """Return the token of an API key that permits everything a test needs."""
        quota = Quota(concurrent_jobs=MOST_CALLERS)
        _, token = ApiKeyStore.connect(self.settings).create(TENANT, quota=quota)
        return token

    def _service(self, number: int, port: int) -> Program:
        return programs.service(f"service-{number}", self.folder, port, self.environment)

    def _worker(self, number: int, port: int) -> Program:
        return programs.worker(f"worker-{number}", self.folder, port, self.environment)

    def _talkative(self, module: str, number: int) -> Program:
        return programs.talkative(
            f"{module}-{number}", f"workers.{module}", self.folder, self.environment
        )


def _stores(folder: Path) -> tuple[ValkeyServer, SeaweedServer]:
    for name in (VALKEY, S3):
        (folder / name).mkdir()
    return ValkeyServer(folder / VALKEY), SeaweedServer(folder / S3)
