"""Starts a worker: `python -m workers.synthesis`.

One parent and one child. SIGTERM lets the running job finish, or hands it back to the queue when
it takes too long; several workers may share a GPU, each with its own run directory and port.
"""

import os
import sys

from billiard.process import current_process

from workers.settings import WorkerSettings
from workers.synthesis.run_directory import RunDirectory, RunDirectoryTaken
from workers.synthesis.signing import ManifestSigner, SignerRefused

ARGUMENTS = (
    *("--quiet", "worker", "--pool=prefork", "--concurrency=1"),
    *("--without-gossip", "--without-mingle"),
)


def main() -> None:
    """Run until told to stop; the exit status is 1 if no job could ever be done."""
    settings = WorkerSettings()
    directory = RunDirectory(settings.run_directory)
    try:
        with directory.taken():
            ManifestSigner.open(settings)  # what cannot sign is told before anything is loaded
            work(settings, directory)
    except (RunDirectoryTaken, SignerRefused) as refusal:
        sys.exit(str(refusal))
    sys.exit(directory.is_broken)


def work(settings: WorkerSettings, directory: RunDirectory) -> None:
    """Serve metrics and take jobs until told to stop."""
    # prometheus_client looks for it when it is imported, here and in the child.
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(directory.metrics)
    from workers.synthesis.app import create_worker
    from workers.synthesis.health import start_watch
    from workers.synthesis.metrics import serve_metrics

    start_watch(directory, settings.hang_seconds)
    # Names that tell whose they are, so that those a kill left behind are found.
    current_process()._config["semprefix"] = directory.semaphore_prefix
    if settings.metrics_port:
        serve_metrics(settings.metrics_host, settings.metrics_port, directory.metrics)
    create_worker(settings).worker_main(ARGUMENTS)


if __name__ == "__main__":
    main()
