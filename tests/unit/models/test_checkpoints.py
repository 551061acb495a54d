"""Weights are only loaded if they match the manifest, and nothing else is ever loaded."""

import json
import pickle
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from models.checkpoints import load_checkpoint, save_checkpoint
from models.manifest import MANIFEST, WEIGHTS, CheckpointError, sha256_of


@dataclass(frozen=True)
class Sizes:
    width: int = 3


STATE = {"weight": torch.arange(6.0).reshape(2, 3), "steps": torch.tensor([7])}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A whole checkpoint, with its manifest."""
    path = tmp_path / "network.safetensors"
    save_checkpoint(path, STATE, Sizes())
    return path


def name_in_manifest(path: Path, digest: str) -> None:
    (path.parent / MANIFEST).write_text(json.dumps({path.name: digest}))


def test_what_was_saved_is_loaded(path: Path) -> None:
    state, sizes = load_checkpoint(path)
    assert sizes == {"width": 3}
    assert state["weight"].dtype == torch.float32
    assert torch.equal(state["weight"], STATE["weight"])
    assert torch.equal(state["steps"], STATE["steps"])


@pytest.mark.parametrize("place", [0, 8, -1], ids=["length", "header", "weights"])
def test_a_single_flipped_bit_is_refused(path: Path, place: int) -> None:
    content = bytearray(path.read_bytes())
    content[place] ^= 1
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match="does not have the sha256"):
        load_checkpoint(path)


@pytest.mark.parametrize("change", [lambda whole: whole[:-1], lambda whole: whole + b"\0"])
def test_a_file_of_another_length_is_refused(path: Path, change: Callable[[bytes], bytes]) -> None:
    path.write_bytes(change(path.read_bytes()))
    with pytest.raises(CheckpointError, match="does not have the sha256"):
        load_checkpoint(path)


@pytest.mark.parametrize("digest", ["", "0" * 64, sha256_of(Path(__file__)).upper()])
def test_another_digest_in_the_manifest_is_refused(path: Path, digest: str) -> None:
    name_in_manifest(path, digest)
    with pytest.raises(CheckpointError, match="does not have the sha256"):
        load_checkpoint(path)


@pytest.mark.parametrize("manifest", ["{}", '{"other.safetensors": ""}', "[]", "{", "null"])
def test_a_manifest_that_does_not_name_the_file_is_refused(path: Path, manifest: str) -> None:
    (path.parent / MANIFEST).write_text(manifest)
    with pytest.raises(CheckpointError, match="manifest"):
        load_checkpoint(path)


def test_a_file_without_a_manifest_is_refused(path: Path) -> None:
    (path.parent / MANIFEST).unlink()
    with pytest.raises(CheckpointError, match="cannot be read"):
        load_checkpoint(path)


def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="is missing"):
        load_checkpoint(tmp_path / "network.safetensors")


class Trap:
    """Creates a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return Path.touch, (self.path,)


def write_pickle(trap: object, path: Path) -> None:
    path.write_bytes(pickle.dumps(trap))


@pytest.mark.parametrize("write", [torch.save, write_pickle])
def test_a_pickle_is_refused_even_where_the_manifest_names_it(
    path: Path, tmp_path: Path, write: Callable[[object, Path], object]
) -> None:
    sprung = tmp_path / "sprung"
    write(Trap(sprung), path)
    name_in_manifest(path, sha256_of(path))
    with pytest.raises(CheckpointError, match="not a safetensors file"):
        load_checkpoint(path)
    assert not sprung.exists()
    pickle.loads(pickle.dumps(Trap(sprung)))
    assert sprung.exists()


def test_weights_without_sizes_are_refused(path: Path) -> None:
    save_file(STATE, path)
    name_in_manifest(path, sha256_of(path))
    with pytest.raises(CheckpointError, match="not a safetensors file with sizes"):
        load_checkpoint(path)


def test_the_manifest_names_every_file_that_is_shipped() -> None:
    named = json.loads((WEIGHTS / MANIFEST).read_text())
    assert set(named) == {path.name for path in WEIGHTS.iterdir()} - {MANIFEST}
    assert all(sha256_of(WEIGHTS / name) == digest for name, digest in named.items())
