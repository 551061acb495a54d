"""The whole system on one machine: both stores, the service, a worker, reconciler, webhooks.

    Standalone ──supervises──► Valkey, SeaweedFS ──ready──► service, worker,
                                                                 reconciler, webhooks

Everything listens on loopback only and uses one directory. The programs are those of the cluster;
only the addresses differ. On Linux, nothing outlives the supervisor, whatever ends it; on other
systems, this holds unless its guard is killed too.
"""

import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

from deploy.standalone import disk
from deploy.standalone.child import Program
from deploy.standalone.installation import Installation, InstallationState, Ports, check_workers
from deploy.standalone.parent_death import Guard
from deploy.standalone.processes import (
    LOOPBACK,
    SeaweedServer,
    ValkeyServer,
    free_port,
    responds,
)
from deploy.standalone.supervisor import ManagedProcess, Supervisor
from workers.synthesis.health import unresponsive_processes
from workers.synthesis.run_directory import RunDirectory

DEFAULT_DIRECTORY = Path("var")
SERVICE_PORT = 8000
"""The service's port in a new directory, if it is free: the one in the documentation's examples."""
REQUEST_SECONDS = 0.5  # between two looks for a request of `amigo workers`
WORKER_START_SECONDS = 120.0  # a cold disk, all weights
SHUTDOWN_SECONDS = 5  # users are waiting: the job continues in the next run instead
WORKER_STOP_SECONDS = 30.0  # a job that ignores the request is released some seconds later


class Standalone:
    """A running system; `with Standalone(directory) as system:` starts and stops it."""

    def __init__(
        self,
        directory: Path = DEFAULT_DIRECTORY,
        *,
        port: int | None = None,
        first_port: int | None = None,
        workers: int = 1,
        print_line: Callable[[str], None] = print,
    ) -> None:
        self._installation = Installation(directory)
        self._port = port
        self._first_port = first_port
        self._num_workers = workers
        self._worker_ports: dict[int, int] = {}
        self._is_short_of_space = False
        self._print_line = print_line
        self._started_at = datetime.now(UTC)
        self._stack = ExitStack()
        self._state: InstallationState
        self._ports: Ports
        self._supervisor: Supervisor

    @property
    def url(self) -> str:
        """The URL of the service, without a trailing slash."""
        return f"http://{LOOPBACK}:{self._ports.service}"

    @property
    def processes(self) -> Sequence[ManagedProcess]:
        """The programs, in the order of their start."""
        return self._supervisor.processes

    def start(self) -> None:
        """Wait until all programs are ready.

        Raises:
            DeployError: the system cannot run; everything has been stopped.
        """
        check_workers(self._num_workers)
        with ExitStack() as stack:
            lock = stack.enter_context(self._installation.locked())
            state = self._installation.prepare(
                self._port, self._print_line, first_service_port=self._first_port
            )
            self._state, self._ports = state, state.ports
            self._installation.clear_request()
            self.report_space()
            guard = stack.enter_context(Guard(keep_open=(lock,)))
            self._supervisor = Supervisor(self._tiers(state), guard, self._print_line, self._note)
            stack.callback(self._installation.clear_status)
            stack.callback(self._stop_programs)
            self._supervisor.start()
            self._stack = stack.pop_all()

    def stop(self) -> None:
        """Stop all programs: the worker first, the stores last."""
        self._stack.close()

    def wait(self) -> None:
        """Wait until the system ends; interrupt it to stop.

        Raises:
            Exception: the error that ended it.
        """
        while self._supervisor.is_running:
            self.follow_request()
            self.report_space()
            time.sleep(REQUEST_SECONDS)

    def follow_request(self) -> None:
        """Change the number of workers if `amigo workers` has requested it."""
        wanted = self._installation.requested_workers()
        if wanted is not None and wanted != self._num_workers:
            self._print_line(f"Changing from {self._num_workers} to {wanted} workers.")
            self.scale(wanted)

    def report_space(self) -> None:
        """Print that the disk has become too full for the object store, or no longer is."""
        directory = self._installation.directory
        shortage = disk.shortage(directory)
        if bool(shortage) != self._is_short_of_space:
            self._is_short_of_space = bool(shortage)
            self._print_line(
                shortage
                or f"The disk of {directory} has space again; the object store accepts new files "
                "within a minute."
            )

    def scale(self, workers: int) -> None:
        """Change the number of workers; one that is removed returns its job to the queue."""
        programs = self._workers(self._environment(self._state), workers)
        self._num_workers = workers  # only now: the supervisor writes the ports of this many
        self._supervisor.replace_pool(programs)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.stop()

    def _stop_programs(self) -> None:
        """Stop in order; if this is interrupted, the guard kills the rest."""
        self._print_line("Stopping.")
        self._supervisor.stop()

    def _environment(self, state: InstallationState) -> dict[str, str]:
        valkey, seaweed = stores(self._installation.directory, state)
        return {
            **valkey.environment,
            **seaweed.environment,
            "AMIGO_SHUTDOWN_SECONDS": str(SHUTDOWN_SECONDS),
        }

    def _tiers(self, state: InstallationState) -> tuple[tuple[Program, ...], ...]:
        valkey, seaweed = stores(self._installation.directory, state)
        environment = self._environment(state)
        signing = {"AMIGO_WEBHOOK_SECRET": state.webhook_secret}
        return (
            (valkey.program(), seaweed.program()),
            (
                self._service({**environment, **signing, "AMIGO_KEY_SECRET": state.key_secret}),
                self._reconciler(environment),
                self._webhooks({**environment, **signing, "AMIGO_PUBLIC_URL": self.url}),
                *self._workers(environment, self._num_workers),
            ),
        )

    def _service(self, environment: dict[str, str]) -> Program:
        return Program(
            name="service",
            command=(sys.executable, "-m", "service"),
            log=self._log("service"),
            # Not /readyz: it fails while the disk is full, which must not prevent the start.
            is_ready=lambda: responds(f"{self.url}/livez"),
            env={
                **environment,
                "AMIGO_LISTEN_HOST": LOOPBACK,
                "AMIGO_LISTEN_PORT": str(self._ports.service),
            },
        )

    def _workers(self, environment: dict[str, str], count: int) -> tuple[Program, ...]:
        """Return this many workers, which share this machine's cores."""
        if count > 1 and "AMIGO_TORCH_THREADS" not in os.environ:
            threads = max(1, (os.cpu_count() or 1) // count)
            environment = {**environment, "AMIGO_TORCH_THREADS": str(threads)}
        return tuple(self._worker(environment, number) for number in range(count))

    def _worker(self, environment: dict[str, str], number: int) -> Program:
        name = f"worker-{number + 1}" if number else "worker"
        port = self._worker_ports.setdefault(
            number, free_port() if number else self._ports.worker_metrics
        )
        directory = RunDirectory(self._installation.directory / name)
        return Program(
            name=name,
            command=(sys.executable, "-m", "workers.synthesis"),
            log=self._log(name),
            is_ready=lambda: not unresponsive_processes(directory),
            env={
                **environment,
                "AMIGO_RUN_DIRECTORY": str(directory.path),
                "AMIGO_METRICS_PORT": str(port),
            },
            start_seconds=WORKER_START_SECONDS,
            stop_seconds=WORKER_STOP_SECONDS,
            pool=True,
            leftovers=(directory.path / "parent", directory.path / "child"),
        )

    def _reconciler(self, environment: dict[str, str]) -> Program:
        port = str(self._ports.reconciler_metrics)
        return self._module_program(
            "reconciler",
            "workers.reconciler",
            {**environment, "AMIGO_RECONCILER_METRICS_PORT": port},
        )

    def _webhooks(self, environment: dict[str, str]) -> Program:
        port = str(self._ports.webhook_metrics)
        return self._module_program(
            "webhooks", "workers.webhooks", {**environment, "AMIGO_WEBHOOK_METRICS_PORT": port}
        )

    def _module_program(self, name: str, module: str, environment: dict[str, str]) -> Program:
        """Return the program of a module in `workers` that logs when it is ready."""
        log = self._log(name)
        return Program(
            name=name,
            command=(sys.executable, "-m", module),
            log=log,
            is_ready=lambda: log.stat().st_size > 0,
            env=environment,
        )

    def _log(self, name: str) -> Path:
        return self._installation.directory / "logs" / f"{name}.log"

    def _note(self, processes: Sequence[ManagedProcess]) -> None:
        self._installation.write_status(
            {
                "url": self.url,
                "pid": os.getpid(),
                "started_at": self._started_at.isoformat(timespec="seconds"),
                "ports": self._ports.model_dump(),
                "worker_metrics": [self._worker_ports[n] for n in range(self._num_workers)],
                "programs": {
                    process.program.name: {
                        "pid": process.child.pid,
                        "ready": process.is_ready,
                        "restarts": process.restarts,
                        "log": str(process.program.log),
                    }
                    for process in processes
                },
            }
        )


def stores(directory: Path, state: InstallationState) -> tuple[ValkeyServer, SeaweedServer]:
    """Return the two stores of a directory."""
    valkey = ValkeyServer(directory / "valkey", state.ports.valkey, state.valkey_password)
    seaweed = SeaweedServer(
        directory / "seaweedfs", state.ports.seaweed, state.s3_access_key, state.s3_secret_key
    )
    return valkey, seaweed


def environment(directory: Path) -> dict[str, str]:
    """Return the variables with which another program uses the system in a directory.

    Raises:
        DeployError: no system has been started there.
    """
    installation = Installation(directory)
    state = installation.read()
    valkey, seaweed = stores(installation.directory, state)
    secret = {"AMIGO_KEY_SECRET": state.key_secret}
    return {**valkey.environment, **seaweed.environment, **secret}


def serve(
    directory: Path = DEFAULT_DIRECTORY,
    *,
    port: int | None = None,
    workers: int = 1,
    print_line: Callable[[str], None] = print,
) -> None:
    """Run the system until SIGINT, SIGTERM or SIGHUP; a second signal ends it at once.

    Raises:
        DeployError: the system cannot run.
    """
    for ending in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(ending, signal.default_int_handler)
    try:
        with Standalone(
            directory,
            port=port,
            first_port=SERVICE_PORT,
            workers=workers,
            print_line=print_line,
        ) as system:
            url = system.url
            print_line(
                f"AMIGO is running at {url} (API documentation: {url}/docs). Press Ctrl-C to stop."
            )
            system.wait()
    except KeyboardInterrupt:
        print_line("Stopped.")
