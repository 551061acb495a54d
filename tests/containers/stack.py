"""docker-compose.yml, started container by container, as its options say.

All containers share the network of one idle container, which reaches nothing but itself: no port of
this machine is used, and nothing can call out. The services find each other by the names that
docker-compose.yml gives them.
"""

import re
import secrets
from base64 import b64encode
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from tests.containers.engine import ROOT, Engine

COMPOSE = ROOT / "docker-compose.yml"
STARTED = ("valkey", "s3", "service", "reconciler", "webhooks", "worker-cpu")
"""The services of the profile `cpu`, in the order of their dependencies."""


def drawn_secrets() -> dict[str, str]:
    """Return a value for each secret in .env.example."""
    names = re.findall(r"^(AMIGO_\w+)=$", (ROOT / ".env.example").read_text(), re.MULTILINE)
    drawn = {name: secrets.token_hex(24) for name in names}
    drawn["AMIGO_WEBHOOK_SECRET"] = f"whsec_{b64encode(secrets.token_bytes(32)).decode()}"
    return drawn


def interpolated(content: Any, values: dict[str, str]) -> Any:
    """Replace `${NAME:?…}` and `${NAME:-default}` in all texts of a document, as compose does.

    Raises:
        KeyError: a required variable has no value.
    """
    if isinstance(content, dict):
        return {name: interpolated(each, values) for name, each in content.items()}
    if isinstance(content, list):
        return [interpolated(each, values) for each in content]
    if not isinstance(content, str):
        return content

    def value(found: re.Match[str]) -> str:
        name, operator, rest = found.groups()
        return values.get(name, rest) if operator == ":-" else values[name]

    return re.sub(r"\$\{(\w+)(:[?-])([^}]*)\}", value, content)


@dataclass(frozen=True)
class Stack:
    """The services of docker-compose.yml on one engine.

    Attributes:
        engine: what runs the containers.
        folder: where configuration files are written.
        prefix: starts the names of all containers and volumes.
    """

    engine: Engine
    folder: Path
    prefix: str = field(default_factory=lambda: f"amigo-{secrets.token_hex(4)}")
    secrets: dict[str, str] = field(default_factory=drawn_secrets, repr=False)

    @property
    def file(self) -> dict[str, Any]:
        """The compose file with all variables replaced."""
        content: dict[str, Any] = interpolated(yaml.safe_load(COMPOSE.read_text()), self.secrets)
        return content

    def name(self, service: str) -> str:
        """Return the name of a service's container."""
        return f"{self.prefix}-{service}"

    @property
    def network(self) -> tuple[str, str]:
        """The options that put a container into the shared network, with its names."""
        hosts = f"--volume={self.folder / 'hosts'}:/etc/hosts:ro"
        return f"--network=container:{self.name('network')}", hosts

    def start(self) -> None:
        """Start the shared network and all services, without waiting for them."""
        names = ("localhost", *self.file["services"])
        (self.folder / "hosts").write_text("".join(f"127.0.0.1 {name}\n" for name in names))
        idle = ("python", "-c", "import signal; signal.pause()")
        name = ("--name", self.name("network"))
        self.engine("run", "--detach", *name, "--network=none", "amigo-service", *idle)
        for service in STARTED:
            self.engine(*self.command(service))

    def command(self, service: str) -> list[str]:
        """Return the engine's command that runs a service as docker-compose.yml describes it."""
        options = self.file["services"][service]
        return [
            *("run", "--detach", "--name", self.name(service), *self.network),
            *self._confinement(options),
            *(f"--env={name}={value}" for name, value in options.get("environment", {}).items()),
            *self._files(options),
            options["image"],
            *options.get("command", ()),
        ]

    def stop(self, service: str) -> None:
        """Stop a service as `docker compose stop` does: SIGTERM, then its grace period."""
        grace = self.file["services"][service].get("stop_grace_period", "10s").rstrip("s")
        self.engine("stop", "--time", grace, self.name(service))

    def remove(self) -> None:
        """Remove all containers and volumes of the stack."""
        self.engine.remove([self.name(service) for service in reversed(STARTED)])
        self.engine.remove([self.name("network")], [self.name(name) for name in ("valkey", "s3")])

    def _confinement(self, options: dict[str, Any]) -> Iterator[str]:
        if options.get("init"):
            yield "--init"
        if options.get("read_only"):
            yield "--read-only"
        yield from (f"--tmpfs={path}" for path in options.get("tmpfs", ()))
        yield from (f"--cap-drop={name}" for name in options.get("cap_drop", ()))
        for choice in options.get("security_opt", ()):
            yield f"--security-opt={choice.partition(':')[0]}"

    def _files(self, options: dict[str, Any]) -> Iterator[str]:
        for volume in options.get("volumes", ()):
            yield f"--volume={self.prefix}-{volume}"
        for config in options.get("configs", ()):
            path = self.folder / config["source"]
            path.write_text(self.file["configs"][config["source"]]["content"])
            yield f"--volume={path}:{config['target']}:ro"


def run_client(stack: Stack, folder: Path, token: str, arguments: Sequence[str]) -> str:
    """Run the `amigo` command beside the service and return its output.

    The folder is mounted as /out, the examples as /examples.
    """
    folder.chmod(0o777)  # the command runs as the image's user
    return stack.engine(
        *("run", "--rm", *stack.network, "--read-only", "--tmpfs=/tmp"),
        *(f"--env=AMIGO_API_KEY={token}", "--env=AMIGO_URL=http://service:8000"),
        *(f"--volume={folder}:/out", f"--volume={ROOT / 'examples'}:/examples:ro"),
        *("amigo-service", "amigo", *arguments),
    )
