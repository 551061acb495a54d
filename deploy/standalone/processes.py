"""The two stores of the standalone system.

Both listen on loopback only, require a secret, and keep their data however they end.
"""

import json
import os
import random
import socket
import ssl
from collections import deque
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Self

import httpx
import redis
from pydantic import SecretStr

from deploy.standalone import disk
from deploy.standalone.binaries import find_valkey, find_weed
from deploy.standalone.chain import chained
from deploy.standalone.child import Program
from jobs.errors import ObjectNotFound, StorageUnavailable
from jobs.s3.object_store import UNKNOWN_TYPE, ObjectStorage
from jobs.settings import Settings

LOOPBACK = "127.0.0.1"
GRPC_OFFSET = 10_000  # SeaweedFS serves gRPC at this offset from each port
PORT_RANGE = range(10_240, 20_240)  # so that port + offset stays below Linux's ephemeral ports
_DRAWN_LATELY = deque[int](maxlen=64)
"""Ports that this process has drawn, on which nothing may listen yet."""
PROBE_SECONDS = 1.0
VOLUME_MIB = 128
"""Size in MiB from which a volume is full; its copy must fit into the reserved space."""
VACUUM_SECONDS = 60
"""Least time in seconds between two passes that reclaim the space of deleted objects, which happens
on a disk with free space only; SeaweedFS adds up to two minutes."""
_PROBER = httpx.Client(
    timeout=PROBE_SECONDS,
    trust_env=False,
    # A kept connection would lead to the process that ran before.
    limits=httpx.Limits(max_keepalive_connections=0),
    # Loading the trusted certificates takes a tenth of a second, and loopback needs none.
    verify=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT),
)


def free_ports(count: int, *, reserved: Collection[int] = ()) -> list[int]:
    """Return distinct loopback ports that are free, also at `GRPC_OFFSET` above.

    They differ from those that are `reserved` and those drawn lately, whose servers may not have
    started.

    Raises:
        OSError: too few ports are free.
    """
    drawn = random.sample(PORT_RANGE, len(PORT_RANGE))
    others = (port for port in drawn if port not in (*reserved, *_DRAWN_LATELY))
    free = (port for port in others if is_free(port) and is_free(port + GRPC_OFFSET))
    ports = list(islice(free, count))
    if len(ports) < count:
        raise OSError(f"Fewer than {count} loopback ports are free.")
    _DRAWN_LATELY.extend(ports)
    return ports


def free_port() -> int:
    """Return one such port."""
    return free_ports(1)[0]


def is_free(port: int) -> bool:
    """Return whether nothing listens on this loopback port."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def responds(url: str) -> bool:
    """Return whether a GET succeeds within a second."""
    try:
        return _PROBER.get(url).is_success
    except httpx.TransportError:
        return False


@dataclass(frozen=True)
class ValkeyServer:
    """Valkey on a loopback port with a password; every write reaches the disk before the response.

    The password is in a configuration file of mode 600, because all users can read arguments.
    """

    directory: Path
    port: int = field(default_factory=free_port)
    # For tests on loopback; the standalone system generates one.
    password: str = field(default="development", repr=False)

    @property
    def url(self) -> str:
        """The URL for redis-py and Celery, including the password."""
        return f"redis://:{self.password}@{LOOPBACK}:{self.port}/0"

    @property
    def environment(self) -> dict[str, str]:
        """The variables with which `jobs.settings.Settings` uses this server."""
        return {"AMIGO_VALKEY_URL": self.url}

    def program(self) -> Program:
        """Return the program, after creating its directory and configuration.

        Raises:
            ProgramMissing: neither Valkey nor Redis is installed.
        """
        binary = find_valkey()
        config = self.directory / "valkey.conf"
        write_private(config, self._config())
        return Program(
            name="Valkey",
            command=(str(binary), str(config)),
            log=self.directory / "valkey.log",
            is_ready=self.is_ready,
        )

    def is_ready(self) -> bool:
        """Return whether the server responds and has loaded its data."""
        try:
            with redis.Redis.from_url(self.url, socket_timeout=PROBE_SECONDS) as client:
                return bool(client.ping())
        except redis.RedisError:
            return False

    def _config(self) -> str:
        return "\n".join(
            (
                f"bind {LOOPBACK}",
                f"port {self.port}",
                f"requirepass {self.password}",
                f'dir "{self.directory.resolve()}"',
                "appendonly yes",
                "appendfsync always",
                'save ""',
                "maxmemory-policy noeviction",
            )
        )


@dataclass(frozen=True)
class SeaweedPorts:
    """The four ports of SeaweedFS, including its S3 port for clients."""

    s3: int
    filer: int
    volume: int
    master: int

    @classmethod
    def free(cls) -> Self:
        """Return four ports that are free now."""
        return cls(*free_ports(4))

    @property
    def sockets(self) -> tuple[Path, ...]:
        """The Unix sockets that SeaweedFS opens next to its ports and leaves behind when killed."""
        grpc = (
            Path(f"/tmp/seaweedfs-{part}-grpc-{port + GRPC_OFFSET}.sock")  # noqa: S108
            for part, port in vars(self).items()
        )
        http = (
            Path(f"/tmp/seaweedfs-{part}-{port}.sock")  # noqa: S108 - SeaweedFS's own choice
            for part, port in vars(self).items()
        )
        return (*grpc, *http)


@dataclass(frozen=True)
class SeaweedServer:
    """SeaweedFS as an S3 server on loopback, with one identity and one bucket.

    Its parts run as one program: `weed mini` refuses all writes while less than 1% of the disk is
    free, and `weed server` waits for two seconds before it starts its S3 server.
    """

    directory: Path
    ports: SeaweedPorts = field(default_factory=SeaweedPorts.free)
    access_key: str = "development"
    secret_key: str = field(default="development", repr=False)
    bucket: str = "amigo"
    region: str = "us-east-1"

    @property
    def url(self) -> str:
        """The S3 endpoint."""
        return f"http://{LOOPBACK}:{self.ports.s3}"

    @property
    def environment(self) -> dict[str, str]:
        """The variables with which `jobs.settings.Settings` uses this server."""
        return {
            "AMIGO_S3_ENDPOINT_URL": self.url,
            "AMIGO_S3_REGION": self.region,
            "AMIGO_S3_BUCKET": self.bucket,
            "AMIGO_S3_ACCESS_KEY": self.access_key,
            "AMIGO_S3_SECRET_KEY": self.secret_key,
        }

    def program(self) -> Program:
        """Return the program, after creating its directory and identities.

        Raises:
            ProgramMissing: SeaweedFS is not installed.
        """
        binary = find_weed()
        identities = self.directory / "s3.json"
        write_private(identities, json.dumps(self._identities()))
        data = self.directory / "data"
        data.mkdir(exist_ok=True)
        return Program(
            name="SeaweedFS",
            command=chained(self._parts(str(binary), data, identities)),
            log=self.directory / "seaweedfs.log",
            is_ready=self.is_ready,
            env={"WEED_MASTER_VOLUME_GROWTH_COPY_1": "1"},  # one more volume at a time, not seven
            leftovers=self.ports.sockets,
        )

    def is_ready(self) -> bool:
        """Return whether the server is healthy and entries can be written and deleted."""
        return responds(f"{self.url}/healthz") and self._takes_objects()

    def _takes_objects(self) -> bool:
        try:
            # Empty, so that it takes no space: a full disk must not prevent the start.
            self._storage.put("ready/probe", b"", UNKNOWN_TYPE)
            self._storage.delete_prefix("ready/")
        except (StorageUnavailable, ObjectNotFound):
            return False
        return True

    @cached_property
    def _storage(self) -> ObjectStorage:
        return ObjectStorage.connect(
            Settings(
                s3_endpoint_url=self.url,
                s3_region=self.region,
                s3_bucket=self.bucket,
                s3_access_key=self.access_key,
                s3_secret_key=SecretStr(self.secret_key),
            )
        )

    def _parts(
        self, weed: str, data: Path, identities: Path
    ) -> Iterator[tuple[int, tuple[str, ...]]]:
        """Yield the command of each part, after the gRPC port that must listen before it starts."""
        ports = self.ports
        master, filer = ports.master + GRPC_OFFSET, ports.filer + GRPC_OFFSET
        to_master = f"-master={LOOPBACK}:{ports.master}"

        def command(part: str, *flags: str) -> tuple[str, ...]:
            bound = (f"-port={getattr(ports, part)}", f"-ip.bind={LOOPBACK}")
            return (weed, "-logtostderr=true", part, *bound, *flags)

        here = f"-ip={LOOPBACK}"
        # A master that resumes its state sometimes refuses all objects for 15 s, waiting for other
        # volume servers. What it needs to know, it learns from the only one.
        alone = ("-peers=none", "-telemetry=false", "-resumeState=false")
        volumes = (f"-volumeSizeLimitMB={VOLUME_MIB}", f"-vacuumIntervalSeconds={VACUUM_SECONDS}")
        yield 0, command("master", here, f"-mdir={data}", *alone, *volumes)
        reserve = f"-minFreeSpace={disk.RESERVED_MB}MB"
        yield master, command("volume", here, f"-dir={data}", to_master, "-max=0", reserve)
        yield master, command("filer", here, f"-defaultStoreDir={data}", to_master)
        unused = ("-iam=false", "-port.iceberg=0", "-port.lance=0")
        to_filer = f"-filer={LOOPBACK}:{ports.filer}"
        yield filer, command("s3", to_filer, f"-config={identities}", *unused)

    def _identities(self) -> Mapping[str, object]:
        credentials = {"accessKey": self.access_key, "secretKey": self.secret_key}
        identity = {"name": "amigo", "credentials": [credentials], "actions": ["Admin"]}
        return {"identities": [identity]}


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner can read, atomically."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f"{path.name}.new")
    fresh.unlink(missing_ok=True)
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
    fresh.replace(path)
