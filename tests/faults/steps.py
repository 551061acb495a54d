"""Runs a program of the system so that it can be struck at any named step of its story.

    python -m tests.faults.steps workers.housekeeping

The program is the real one: its steps are functions of the product, wrapped from outside, and no
line of the product knows of it. A step strikes when a harness has armed it by a file, at the n-th
call from then on, before or after the real function runs:

    kill    SIGKILL to the process itself
    stop    SIGSTOP to the process itself
    tell    the process waits until the harness has broken something else and lets it go on
"""

import functools
import importlib
import inspect
import json
import os
import pkgutil
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import timedelta
from pathlib import Path
from threading import Lock
from typing import Any, Literal
from uuid import uuid4

Deed = Literal["kill", "stop", "tell"]
When = Literal["before", "after"]

FOLDER_VARIABLE = "FAULTS_FOLDER"
NAME_VARIABLE = "FAULTS_NAME"

PATIENCE_SECONDS = 60.0
"""How long a step waits to be let go before it goes on by itself."""

SERVICE = (
    "service.submissions:Submissions.prepare",
    "jobs.store:JobStore.reserve",
    "service.submissions:Submissions._check",
    "jobs.storage:ObjectStorage.put",
    "jobs.store:JobStore.accept",
    "jobs.queue:JobQueue.dispatch",
    "jobs.store:JobStore.mark_dispatched",
    "service.routes.creation:describe_accepted",
)
PARENT = (
    "kombu.transport.redis:Channel._brpop_read",
    "kombu.transport.redis:QoS.append",
    "kombu.transport.redis:QoS.ack",
)
CHILD = (
    "jobs.store:JobStore.claim",
    "workers.inputs:Inputs.portrait",
    "workers.inputs:Inputs.audio",
    "models.decoding.decoder:Decoder.portrait",
    "models.decoding.decoder:Decoder.waveform",
    "tests.integration.workers.pipelines:GreyPipeline.__call__",
    "workers.progress:Progress._report_frames",
    "workers.synthesis:encode_video",
    "workers.synthesis:make_poster",
    "jobs.storage:ObjectStorage.put",
    "jobs.store:JobStore.finish",
    "jobs.storage:ObjectStorage.delete_prefix",
    "jobs.store:JobStore.fail",
    "jobs.store:JobStore.requeue",
    "jobs.store:JobStore.postpone",
    "jobs.queue:JobQueue.dispatch",
)
HOUSEKEEPING = (
    "jobs.recovery:Reconciler._take_back",
    "jobs.recovery:Reconciler._dispatch",
    "jobs.store:JobStore.requeue_expired",
    "jobs.queue:JobQueue.dispatch",
    "jobs.store:JobStore.mark_dispatched",
    "jobs.recovery:Reconciler._read_journal",
    "jobs.recovery:Reconciler._restore",
    "jobs.store:JobStore.accept",
    "jobs.store:JobStore.mark_journal_read",
    "jobs.store:JobStore.delete",
    "jobs.recovery:Reconciler._clear_job",
    "jobs.storage:ObjectStorage.delete_prefix",
    "jobs.store:JobStore.mark_cleared",
)
WEBHOOKS = (
    "workers.webhooks:Courier.deliver",
    "workers.webhooks:Courier._post",
    "jobs.webhooks:WebhookOutbox.record",
)
STEPS = {
    "service": SERVICE,
    "workers": PARENT,
    "workers.housekeeping": HOUSEKEEPING,
    "workers.webhooks": WEBHOOKS,
}
"""The steps of each program; those of a worker's child are its own, CHILD."""

WAITS = {
    "jobs.store:DISPATCH_GRACE": timedelta(seconds=1),
    "jobs.store:REDISPATCH_AFTER": timedelta(seconds=2),
    "jobs.idempotency:RESERVED": timedelta(seconds=4),
    "jobs.recovery:JOURNAL_GRACE": timedelta(seconds=4),
    "jobs.recovery:JOURNAL_INTERVAL": 1.0,
    "jobs.recovery:LEADERSHIP": 1.0,
}
"""Waits of the product that would make a test take minutes, and how long they are here."""


@dataclass(frozen=True)
class Strike:
    """At which call of which step what shall happen.

    Attributes:
        step: the function's name, as `JobStore.accept`.
        when: before or after the real function runs.
        deed: what then happens.
        call: which call, the next being 1; only those count in which `about` occurs.
        about: a text in any argument of the call.
    """

    step: str
    when: When = "before"
    deed: Deed = "kill"
    call: int = 1
    about: str = ""

    def __str__(self) -> str:
        about = f"({self.about})" if self.about else ""
        return f"{self.when} {self.step}{about}" + (f" #{self.call}" if self.call > 1 else "")


class Trap:
    """Where a harness arms a strike, and where the processes that it is meant for find it.

    Its name is that of one process, `worker-2.child`, or of all that do the same, `worker.child`:
    then the first of them to come by strikes, and no other.
    """

    def __init__(self, folder: Path, name: str) -> None:
        self.name = name
        self._armed = folder / f"{name}.armed"
        self._struck = folder / f"{name}.struck"

    def arm(self, strike: Strike) -> None:
        """Let a process strike, once."""
        self.disarm()
        draft = self._armed.with_suffix(".draft")
        draft.write_text(json.dumps({"id": uuid4().hex, **asdict(strike)}))
        draft.replace(self._armed)

    def disarm(self) -> None:
        """Let nothing happen any more, and whoever waits go on."""
        self._armed.unlink(missing_ok=True)
        self._struck.unlink(missing_ok=True)

    @property
    def struck_by(self) -> str | None:
        """The process that has come to the step; None: none has, or it was released."""
        try:
            return self._struck.read_text()
        except FileNotFoundError:
            return None

    @property
    def is_struck(self) -> bool:
        """Whether a process has come to the step and was not released."""
        return self.struck_by is not None

    def release(self) -> None:
        """Let a process go on that told of its step."""
        self._struck.unlink(missing_ok=True)

    def read(self) -> tuple[str, Strike] | None:
        """Return what is armed and the id of its arming."""
        try:
            fields = json.loads(self._armed.read_text())
        except FileNotFoundError:
            return None
        return fields.pop("id"), Strike(**fields)

    def spring(self, deed: Deed, process: str) -> None:
        """Mark that this process, which is called so, has come to the step; then do the deed."""
        mine = self._struck.with_suffix(f".{process}")
        try:
            self._armed.replace(mine)
        except FileNotFoundError:
            return  # disarmed, or struck by another
        mine.write_text(process)
        mine.replace(self._struck)
        if deed == "tell":
            deadline = time.monotonic() + PATIENCE_SECONDS
            while self._struck.exists() and time.monotonic() < deadline:
                time.sleep(0.005)
        else:
            os.kill(os.getpid(), signal.SIGKILL if deed == "kill" else signal.SIGSTOP)


class Steps:
    """The wrapped steps of this process; `part` names a child of the one that was started."""

    def __init__(self, part: str = "") -> None:
        folder = Path(os.environ[FOLDER_VARIABLE])
        self._name = os.environ[NAME_VARIABLE] + part
        role = os.environ[NAME_VARIABLE].partition("-")[0] + part
        self._traps = (Trap(folder, self._name), Trap(folder, role))
        self._calls: Counter[str] = Counter()
        self._lock = Lock()

    def wrap(self, paths: tuple[str, ...]) -> None:
        """Put each function named `module:qualified.name` behind one that can strike."""
        for path in paths:
            owner_path, _, name = path.replace(":", ".", 1).rpartition(".")
            owner = pkgutil.resolve_name(owner_path)
            step = path.partition(":")[2]
            setattr(owner, name, self._wrapped(step, getattr(owner, name)))

    def _wrapped(self, step: str, function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def run(*args: Any, **kwargs: Any) -> Any:
            strike = self._due(step, (*args, *kwargs.values()))
            strike("before")
            result = function(*args, **kwargs)
            strike("after")
            return result

        @functools.wraps(function)
        async def run_async(*args: Any, **kwargs: Any) -> Any:
            strike = self._due(step, (*args, *kwargs.values()))
            strike("before")
            result = await function(*args, **kwargs)
            strike("after")
            return result

        return run_async if inspect.iscoroutinefunction(function) else run

    def _due(self, step: str, args: tuple[Any, ...]) -> Callable[[When], None]:
        """Count a call, and return what strikes if it is the call that was meant."""
        for trap in self._traps:
            armed = trap.read()
            if armed and self._is_meant(*armed, step, args):
                return functools.partial(self._strike, trap, armed[1])
        return lambda when: None

    def _is_meant(self, arming: str, strike: Strike, step: str, args: tuple[Any, ...]) -> bool:
        if strike.step != step or not _is_about(strike.about, args):
            return False
        with self._lock:
            self._calls[arming] += 1
            return self._calls[arming] == strike.call

    def _strike(self, trap: Trap, strike: Strike, when: When) -> None:
        if when == strike.when:
            trap.spring(strike.deed, self._name)


def _is_about(text: str, args: tuple[Any, ...]) -> bool:
    return not text or any(text in str(arg) for arg in args)


def shorten_waits(waits: Mapping[str, object] = WAITS) -> None:
    """Set the product's long waits to what a test can afford."""
    for path, value in waits.items():
        module, _, name = path.partition(":")
        setattr(importlib.import_module(module), name, value)


def main() -> None:
    """Become the program named by the first argument, its steps wrapped."""
    program = sys.argv.pop(1)
    shorten_waits()
    if program == "workers.webhooks":
        shorten_waits({"workers.webhooks:LEASE_MARGIN": timedelta(seconds=1)})
    Steps().wrap(STEPS[program])
    name = f"{program}.__main__" if program in ("service", "workers") else program
    importlib.import_module(name).main()


if __name__ == "__main__":
    main()
