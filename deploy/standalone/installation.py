"""The directory of a standalone system: its lock, secrets, ports and status file.

lock               held by the supervisor, and by its guard until nothing is running any more
installation.json  secrets and ports, mode 600, kept between runs
workers            the number of workers that `amigo workers` has requested
standalone.json    the URL of the system and its supervisor, while it is running
logs/ valkey/ seaweedfs/
"""

import fcntl
import json
import os
import secrets
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from deploy.standalone.errors import AlreadyRunning, DeployError
from deploy.standalone.processes import (
    GRPC_OFFSET,
    SeaweedPorts,
    free_port,
    free_ports,
    is_free,
    write_private,
)

LOCK = "lock"
STATE = "installation.json"
STATUS = "standalone.json"
WORKERS = "workers"
WORKER_LIMITS = range(1, 65)
"""Numbers of workers that a system may have."""


class Ports(BaseModel):
    """The loopback ports of one system."""

    model_config = ConfigDict(frozen=True)

    service: int
    valkey: int
    s3: int
    filer: int
    volume: int
    master: int
    worker_metrics: int
    webhook_metrics: int = Field(default_factory=free_port)
    reconciler_metrics: int = Field(default_factory=free_port)

    @classmethod
    def free(cls) -> Self:
        """Return ports that are free now."""
        names = list(cls.model_fields)
        return cls(**dict(zip(names, free_ports(len(names)), strict=True)))

    def with_service(self, port: int) -> Self:
        """Return these ports, with another one of the service."""
        return self.model_copy(update={"service": port})

    def renewed(self) -> Self:
        """Return these ports, with free ones instead of those that are in use."""
        taken = [name for name, port in self if not self._is_free(name, port)]
        others = free_ports(len(taken), reserved=self.model_dump().values())
        return self.model_copy(update=dict(zip(taken, others, strict=True)))

    def _is_free(self, name: str, port: int) -> bool:
        """Whether a port is free, and also the one that SeaweedFS uses for gRPC."""
        return is_free(port) and (name not in vars(self.seaweed) or is_free(port + GRPC_OFFSET))

    @property
    def seaweed(self) -> SeaweedPorts:
        """The ports of SeaweedFS."""
        return SeaweedPorts(self.s3, self.filer, self.volume, self.master)


class InstallationState(BaseModel):
    """Secrets and ports that are kept between runs."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    ports: Ports
    valkey_password: str = Field(repr=False)
    s3_access_key: str
    s3_secret_key: str = Field(repr=False)
    key_secret: str = Field(default_factory=lambda: secrets.token_urlsafe(30), repr=False)
    webhook_secret: str = Field(
        default_factory=lambda: f"whsec_{b64encode(secrets.token_bytes(32)).decode()}", repr=False
    )

    @classmethod
    def generate(cls) -> Self:
        """Return new secrets and free ports."""
        return cls(
            ports=Ports.free(),
            valkey_password=secrets.token_urlsafe(24),
            s3_access_key=secrets.token_hex(10),
            s3_secret_key=secrets.token_urlsafe(30),
        )


class Installation:
    """A directory in which one system can run at a time."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory.resolve()

    @contextmanager
    def locked(self) -> Iterator[int]:
        """Lock the directory, and yield the descriptor; processes that inherit it hold the lock
        too.

        Raises:
            AlreadyRunning: another system is running here.
            DeployError: the directory cannot be written.
        """
        try:
            # It contains portraits and speech.
            self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = os.open(self.directory / LOCK, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise DeployError(f"{self.directory} cannot be used: {error.strerror}.") from error
        try:
            self._take(descriptor)
            yield descriptor
        finally:
            os.close(descriptor)

    def prepare(
        self,
        service_port: int | None = None,
        print_line: Callable[[str], None] = print,
        *,
        first_service_port: int | None = None,
    ) -> InstallationState:
        """Return the secrets and ports of the last run, replacing those ports that are in use.

        If the service's port is one of them, this is printed, because its URL changes.

        Args:
            service_port: the service's port, which must be free; by default, that of the last run.
            print_line: prints a line.
            first_service_port: the service's port if there was no run; by default, a free one.

        Raises:
            DeployError: the file is damaged, or the requested service port is in use.
        """
        path = self.directory / STATE
        is_first = not path.exists()
        state = InstallationState.generate() if is_first else self.read()
        kept = state.ports
        if is_first and first_service_port is not None:
            kept = kept.with_service(first_service_port)
        if service_port is not None:
            if not is_free(service_port):
                raise DeployError(
                    f"Port {service_port} is in use or reserved. Choose another, or omit it "
                    "to use a free one."
                )
            kept = kept.with_service(service_port)
        ports = kept.renewed()
        if ports.service != kept.service:
            print_line(f"Port {kept.service} is in use; the service now has {ports.service}.")
        state = state.model_copy(update={"ports": ports})
        write_private(path, state.model_dump_json(indent=2))
        return state

    def read(self) -> InstallationState:
        """Return the secrets and ports of the last run.

        Raises:
            DeployError: the file is damaged, or no system has been started here.
        """
        path = self.directory / STATE
        try:
            return InstallationState.model_validate_json(path.read_bytes())
        except FileNotFoundError as error:
            raise DeployError(f"No system has been started in {self.directory}.") from error
        except ValidationError as error:
            raise DeployError(
                f"{path} is damaged. Delete it: new secrets are generated and all data is kept."
            ) from error

    def write_status(self, status: dict[str, object]) -> None:
        """Publish the URL and the supervisor of the running system."""
        write_private(self.directory / STATUS, json.dumps(status, indent=2))

    def clear_status(self) -> None:
        """Publish that no system is running here."""
        (self.directory / STATUS).unlink(missing_ok=True)

    def request_workers(self, count: int) -> None:
        """Ask the system running here for another number of workers.

        Raises:
            DeployError: no system is running here, or it cannot have this many.
        """
        check_workers(count)
        if self._running() is None:
            raise DeployError(f"No system is running in {self.directory}.")
        write_private(self.directory / WORKERS, str(count))

    def requested_workers(self) -> int | None:
        """Return the requested number of workers; None if there was no valid request."""
        try:
            count = int((self.directory / WORKERS).read_text())
        except (FileNotFoundError, ValueError):
            return None
        return count if count in WORKER_LIMITS else None

    def clear_request(self) -> None:
        """Forget a request made to an earlier run."""
        (self.directory / WORKERS).unlink(missing_ok=True)

    def _take(self, descriptor: int) -> None:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise AlreadyRunning(self._who_runs()) from error

    def _running(self) -> dict[str, Any] | None:
        """Return the status of the system running here; None if its supervisor is dead."""
        try:
            status: dict[str, Any] = json.loads((self.directory / STATUS).read_text())
        except FileNotFoundError:
            return None
        return status if _is_alive(status["pid"]) else None

    def _who_runs(self) -> str:
        status = self._running()
        if status is None:
            return f"Another system is starting or stopping in {self.directory}. Try again shortly."
        return (
            f"Another system is running in {self.directory} at {status['url']}. Use it, stop "
            f"it with `kill {status['pid']}`, or choose another directory."
        )


def check_workers(count: int) -> None:
    """Check a number of workers.

    Raises:
        DeployError: a system cannot have this many.
    """
    if count not in WORKER_LIMITS:
        raise DeployError(
            f"{count} workers are not possible; a system has {WORKER_LIMITS[0]} to "
            f"{WORKER_LIMITS[-1]}."
        )


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True  # it belongs to another user
    return True
