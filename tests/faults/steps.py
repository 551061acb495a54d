"""Runs a program of the system so that it can be struck at any named step of its story.

    python -m tests.faults.steps workers.housekeeping

The program is the real one: its steps are functions of the product, wrapped from outside, and no
line of the product knows of it. A step strikes when a harness has armed it, see `traps`.
"""

import functools
import importlib
import inspect
import os
import pkgutil
import sys
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path
from threading import Lock
from typing import Any

from tests.faults.traps import Strike, Trap, When

FOLDER_VARIABLE = "FAULTS_FOLDER"
NAME_VARIABLE = "FAULTS_NAME"

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
    "media.sandbox.decoder:Decoder.portrait",
    "media.sandbox.decoder:Decoder.waveform",
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
        module_name, _, name = path.partition(":")
        module = importlib.import_module(module_name)
        if not hasattr(module, name):
            raise AttributeError(f"{path} is not there any more.")
        setattr(module, name, value)


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
