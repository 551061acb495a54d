"""Starts a worker: `python -m workers.synthesis`.

A worker has one parent process and one child. On SIGTERM, it finishes the running job or returns it
to the queue if that takes too long. Several workers can share a GPU, each with its own run
directory and port.
"""

import multiprocessing
import os
import sys

from billiard.process import current_process

from jobs.settings import read_settings
from media.logging import configure_logging
from workers.synthesis.run_directory import RunDirectory, RunDirectoryTaken
from workers.synthesis.settings import WorkerSettings
from workers.synthesis.signing import ManifestSigner, SignerRefused

ARGUMENTS = (
    *("--quiet", "worker", "--pool=prefork", "--concurrency=1"),
    *("--without-gossip", "--without-mingle"),
)


def main() -> None:
    """Run until asked to stop; the exit status is 1 if the worker cannot process any job."""
    settings = read_settings(WorkerSettings)
    configure_logging()
    directory = RunDirectory(settings.run_directory)
    try:
        with directory.taken():
            ManifestSigner.open(settings)  # reports signing problems before anything is loaded
            work(settings, directory)
    except (RunDirectoryTaken, SignerRefused) as refusal:
        sys.exit(str(refusal))
    sys.exit(directory.is_broken)


def work(settings: WorkerSettings, directory: RunDirectory) -> None:
    """Serve metrics and take jobs until asked to stop."""
    # prometheus_client reads it on import, here and in the child.
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(directory.metrics)
    from workers.synthesis.app import create_worker
    from workers.synthesis.health import is_process, start_merging, start_watch
    from workers.synthesis.metrics import serve_metrics
    from workers.synthesis.process_metrics import ProcessMetrics

    processes = ProcessMetrics(directory.metrics, is_process)
    start_watch(directory, settings.hang_seconds)
    start_merging(processes)
    # A recognizable prefix, so that semaphores of a killed worker can be found.
    current_process()._config["semprefix"] = directory.semaphore_prefix
    # Else billiard creates /tmp/pymp-…, which a killed worker leaves behind.
    multiprocessing.current_process()._config["tempdir"] = str(directory.path)  # type: ignore[attr-defined]
    if settings.metrics_port:
        serve_metrics(settings.metrics_host, settings.metrics_port, processes)
    create_worker(settings).worker_main(ARGUMENTS)


if __name__ == "__main__":
    main()
