"""Runs a program of the system so that it can be struck at any named step.

    python -m tests.faults.steps workers.reconciler

It is the real program: its steps are functions of the product, wrapped from outside, and the
product does not know about it. A step strikes when a test has armed it, see `traps`.
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
    "service.intake.submissions:Submissions._create",
    "jobs.valkey.job_store:JobStore.reserve",
    "service.intake.submissions:Submissions._check",
    "jobs.s3.object_store:ObjectStorage.put",
    "jobs.valkey.job_store:JobStore.accept",
    "jobs.queue:JobQueue.dispatch",
    "jobs.valkey.job_store:JobStore.mark_dispatched",
    "service.routes.presenter:JobPresenter.describe_accepted",
)
PARENT = (
    "kombu.transport.redis:Channel._brpop_read",
    "kombu.transport.redis:QoS.append",
    "kombu.transport.redis:QoS.ack",
)
CHILD = (
    "jobs.valkey.job_store:JobStore.claim",
    "workers.synthesis.inputs:Inputs.portrait",
    "workers.synthesis.inputs:Inputs.audio",
    "media.sandbox.decoder:Decoder.portrait",
    "media.sandbox.decoder:Decoder.speech",
    "tests.integration.workers.pipelines:GreyPipeline.__call__",
    "workers.synthesis.attempt:Attempt._note_rendered",
    "workers.synthesis.job_runner:encode_video",
    "workers.synthesis.job_runner:make_poster",
    "jobs.s3.object_store:ObjectStorage.put",
    "jobs.valkey.job_store:JobStore.finish",
    "jobs.s3.object_store:ObjectStorage.delete_prefix",
    "jobs.valkey.job_store:JobStore.fail",
    "jobs.valkey.job_store:JobStore.requeue",
    "jobs.valkey.job_store:JobStore.postpone",
    "jobs.queue:JobQueue.dispatch",
)
RECONCILER = (
    "workers.reconciler.reconciler:Reconciler._requeue_expired",
    "workers.reconciler.reconciler:Reconciler._dispatch",
    "jobs.valkey.job_store:JobStore.requeue_expired",
    "jobs.queue:JobQueue.dispatch",
    "jobs.valkey.job_store:JobStore.mark_dispatched",
    "workers.reconciler.bucket_reader:BucketReader._continue_pass",
    "workers.reconciler.bucket_reader:BucketReader._look_at",
    "workers.reconciler.bucket_reader:BucketReader._restore",
    "jobs.valkey.job_store:JobStore.accept",
    "jobs.valkey.maintenance:Maintenance.mark_journal_read",
    "jobs.valkey.job_store:JobStore.delete",
    "workers.reconciler.reconciler:Reconciler._clear_job",
    "jobs.s3.object_store:ObjectStorage.delete_prefix",
    "jobs.valkey.maintenance:Maintenance.mark_cleared",
)
WEBHOOKS = (
    "workers.webhooks.sender:WebhookSender.deliver",
    "workers.webhooks.sender:WebhookSender._post",
    "jobs.valkey.webhook_outbox:WebhookOutbox.record",
)
STEPS = {
    "service": SERVICE,
    "workers.synthesis": PARENT,
    "workers.reconciler": RECONCILER,
    "workers.webhooks": WEBHOOKS,
}
"""The steps of each program; those of a worker's child are CHILD."""

WAITS = {
    "jobs.valkey.records:DISPATCH_GRACE": timedelta(seconds=1),
    "jobs.valkey.job_store:REDISPATCH_AFTER": timedelta(seconds=2),
    "jobs.valkey.idempotency:RESERVED": timedelta(seconds=4),
}
"""Delays of the product that would take minutes, and their values in tests."""
OWN_WAITS: Mapping[str, Mapping[str, object]] = {
    "workers.reconciler": {
        "workers.reconciler.bucket_reader:JOURNAL_GRACE": timedelta(seconds=4),
        "workers.reconciler.bucket_reader:PASS_INTERVAL": 1.0,
        "workers.reconciler.reconciler:LEADERSHIP": 1.0,
    },
    "workers.webhooks": {"workers.webhooks.sender:LEASE_MARGIN": timedelta(seconds=1)},
}
"""Those of one program, which the others need not load."""


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
        """Wrap each function named `module:qualified.name` so that it can strike."""
        for path in paths:
            owner_path, _, name = path.replace(":", ".", 1).rpartition(".")
            owner = pkgutil.resolve_name(owner_path)
            step = path.partition(":")[2]
            setattr(owner, name, self._wrapped(step, getattr(owner, name)))

    def _wrapped(self, step: str, function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def run(*args: Any, **kwargs: Any) -> Any:
            about = (*args, *kwargs.values())
            self._pass(step, "before", about)
            result = function(*args, **kwargs)
            self._pass(step, "after", about)
            return result

        @functools.wraps(function)
        async def run_async(*args: Any, **kwargs: Any) -> Any:
            about = (*args, *kwargs.values())
            self._pass(step, "before", about)
            result = await function(*args, **kwargs)
            self._pass(step, "after", about)
            return result

        return run_async if inspect.iscoroutinefunction(function) else run

    def _pass(self, step: str, when: When, args: tuple[Any, ...]) -> None:
        """Count a moment of a call, and strike if it is the armed one.

        A call that raises has no moment after it: a broker asked in vain is asked again.
        """
        for trap in self._traps:
            armed = trap.read()
            if armed and armed[1].when == when and self._is_meant(*armed, step, args):
                trap.spring(armed[1].deed, self._name)

    def _is_meant(self, arming: str, strike: Strike, step: str, args: tuple[Any, ...]) -> bool:
        if strike.step != step or not _is_about(strike.about, args):
            return False
        with self._lock:
            self._calls[arming] += 1
            return self._calls[arming] == strike.call


def _is_about(text: str, args: tuple[Any, ...]) -> bool:
    return not text or any(text in str(arg) for arg in args)


def shorten_waits(waits: Mapping[str, object] = WAITS) -> None:
    """Set the product's long delays to values for tests."""
    for path, value in waits.items():
        module_name, _, name = path.partition(":")
        module = importlib.import_module(module_name)
        if not hasattr(module, name):
            raise AttributeError(f"{path} is not there any more.")
        setattr(module, name, value)


def main() -> None:
    """Run the program named by the first argument, with its steps wrapped."""
    program = sys.argv.pop(1)
    shorten_waits()
    shorten_waits(OWN_WAITS.get(program, {}))
    Steps().wrap(STEPS[program])
    importlib.import_module(f"{program}.__main__").main()


if __name__ == "__main__":
    main()
