"""Docker or podman: the commands that the tests of the containers need."""

import json
import os
import shlex
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Engine:
    """A container engine.

    Attributes:
        command: `docker` or `podman`, perhaps with global options.
        build_options: options of each build, such as a mounted package cache.
    """

    command: tuple[str, ...]
    build_options: tuple[str, ...] = ()

    @classmethod
    def find(cls) -> Self | None:
        """Return the engine in CONTAINER_ENGINE, else the one that runs here, if any."""
        found = next(filter(_runs, ("docker", "podman")), "")
        command = shlex.split(os.environ.get("CONTAINER_ENGINE", found))
        options = shlex.split(os.environ.get("CONTAINER_BUILD_OPTIONS", ""))
        return cls(tuple(command), tuple(options)) if command else None

    def __call__(self, *arguments: str, stdin: Path | None = None) -> str:
        """Run a command of the engine and return its standard output.

        Raises:
            RuntimeError: it failed; the message contains its standard error.
        """
        with (stdin or Path(os.devnull)).open("rb") as source:
            done = subprocess.run(
                [*self.command, *arguments], stdin=source, capture_output=True, check=False
            )
        if done.returncode:
            error = done.stderr.decode(errors="replace").strip()
            raise RuntimeError(f"{arguments[0]} exited with {done.returncode}: {error[-3000:]}")
        return done.stdout.decode()

    def has_image(self, name: str) -> bool:
        """Return whether an image is stored here."""
        try:
            self("image", "inspect", name)
        except RuntimeError:
            return False
        return True

    def build(self, image: str, target: str, arguments: Mapping[str, str]) -> None:
        """Build a target of the Dockerfile."""
        given = [f"--build-arg={name}={value}" for name, value in arguments.items()]
        self("build", *self.build_options, *given, "--target", target, "-t", image, str(ROOT))

    def size(self, image: str) -> int:
        """Return an image's size in bytes, its layers unpacked."""
        (found,) = json.loads(self("image", "inspect", image))
        size: int = found["Size"]
        return size

    def state(self, container: str) -> dict[str, Any]:
        """Return whether a container is running, and how it ended."""
        (found,) = json.loads(self("container", "inspect", container))
        state: dict[str, Any] = found["State"]
        return state

    def execute(self, container: str, *command: str) -> str:
        """Run a command in a running container and return its output."""
        return self("exec", container, *command)

    def logs(self, container: str) -> str:
        """Return what a container has written to standard output and standard error."""
        done = subprocess.run(
            [*self.command, "logs", container],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=True,
        )
        return done.stdout.decode(errors="replace")

    def remove(self, containers: Sequence[str], volumes: Sequence[str] = ()) -> None:
        """Remove containers and volumes, running or not."""
        self("rm", "--force", "--volumes", *containers)
        for volume in volumes:
            self("volume", "rm", "--force", volume)


def _runs(command: str) -> bool:
    """Return whether an engine is installed and, if it needs a daemon, reaches it."""
    if shutil.which(command) is None:
        return False
    return subprocess.run([command, "info"], capture_output=True, check=False).returncode == 0
