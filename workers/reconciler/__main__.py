"""Runs the reconciler: `python -m workers.reconciler`.

Any number may run; one at a time does the work.
"""

import logging
import signal
from contextlib import suppress
from queue import Empty, SimpleQueue

from jobs.errors import Unavailable
from jobs.queue import JobQueue, create_celery
from jobs.s3.api_key_backup import ApiKeyBackup
from jobs.s3.object_store import ObjectStorage
from jobs.settings import read_settings
from jobs.valkey.api_keys import ApiKeyStore
from jobs.valkey.job_store import JobStore
from media.logging import configure_logging
from workers.reconciler.metrics import ReconcilerMetrics
from workers.reconciler.reconciler import Reconciler
from workers.reconciler.settings import ReconcilerSettings
from workers.reconciler.tally import Tally

logger = logging.getLogger("workers.reconciler")


class StopRequest:
    """A request to stop, which a signal handler can make.

    A handler must not set an Event: if it interrupts Event.wait in the same thread, both wait for
    its lock for ever. SimpleQueue is made for this.
    """

    def __init__(self) -> None:
        self.is_made = False
        self._wakeups: SimpleQueue[None] = SimpleQueue()

    def make(self) -> None:
        """Make the request."""
        self.is_made = True
        self._wakeups.put(None)

    def wait(self, seconds: float) -> None:
        """Wait for the request for at most this long."""
        with suppress(Empty):
            self._wakeups.get(timeout=seconds)


def run_rounds(
    reconciler: Reconciler, metrics: ReconcilerMetrics, interval: float, stop: StopRequest
) -> None:
    """Run the reconciler every `interval` seconds until it is requested to stop.

    Rounds of a pass over the bucket follow each other at once.

    An unavailable component is retried in the next round. Any other error ends the process, so that
    its supervisor notices.
    """
    logger.info("Reconciling every %g s.", interval)
    while not stop.is_made:
        pause = interval
        try:
            tally = reconciler.run_once()
        except Unavailable as error:
            logger.warning("The round was interrupted: %s", error)
            metrics.end_round("cut_short")
        else:
            metrics.end_round("done")
            metrics.add(tally)
            pause = 0 if reconciler.is_reading else interval
            if tally != Tally():
                logger.info("%s", tally)
        metrics.set_undeleted(reconciler.undeleted)
        metrics.set_pass(reconciler.pass_seconds)
        stop.wait(pause)


def main() -> None:
    """Run the reconciler until SIGTERM or SIGINT."""
    settings = read_settings(ReconcilerSettings)
    configure_logging()
    storage = ObjectStorage.connect(settings)
    reconciler = Reconciler(
        JobStore.connect(settings),
        storage,
        JobQueue(create_celery(settings)),
        settings.retention,
        ApiKeyBackup(ApiKeyStore.connect(settings), storage),
    )
    metrics = ReconcilerMetrics()
    storage.measure(metrics.storage)
    if settings.reconciler_metrics_port:
        metrics.serve(settings.reconciler_metrics_host, settings.reconciler_metrics_port)
    stop = StopRequest()
    for sign in (signal.SIGTERM, signal.SIGINT):
        signal.signal(sign, lambda *_: stop.make())
    run_rounds(reconciler, metrics, settings.reconciler_seconds, stop)


if __name__ == "__main__":
    main()
