"""Weights on disk: one safetensors file per network, including its sizes, and a manifest of
sha256s.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from models.manifest import MANIFEST, CheckpointError, sha256_of


def save_checkpoint(path: Path, state: Mapping[str, Tensor], config: Any) -> None:
    """Write float tensors as float16, with the dataclass `config` in the header.

    The manifest in the same folder maps each file name to its sha256.
    """
    halves = {
        name: (tensor.half() if tensor.is_floating_point() else tensor).cpu().contiguous()
        for name, tensor in state.items()
    }
    save_file(halves, path, metadata={"config": json.dumps(asdict(config))})
    manifest = path.parent / MANIFEST
    digests = json.loads(manifest.read_text()) if manifest.exists() else {}
    digests[path.name] = sha256_of(path)
    manifest.write_text(json.dumps(digests, indent=2, sort_keys=True) + "\n")


def load_checkpoint(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Return the tensors (floating-point ones as float32) and the network's sizes.

    Raises:
        CheckpointError: the file is missing, its sha256 differs from the manifest, or it is not a
            safetensors file with sizes.
    """
    if not path.exists():
        raise CheckpointError(f"{path} is missing; the repository ships it in models/weights.")
    expected = _expected_digest(path)
    if expected is None or sha256_of(path) != expected:
        raise CheckpointError(f"{path} does not have the sha256 given in {MANIFEST} ({expected}).")
    try:
        with safe_open(path, framework="pt") as file:
            state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            config = json.loads(file.metadata()["config"])
    except (SafetensorError, TypeError, KeyError, ValueError) as error:
        raise CheckpointError(f"{path} is not a safetensors file with sizes ({error}).") from error
    return {n: t.float() if t.dtype == torch.float16 else t for n, t in state.items()}, config


def _expected_digest(path: Path) -> str | None:
    """Return a file's sha256 from the manifest next to it, or None."""
    manifest = path.parent / MANIFEST
    try:
        digest: str | None = json.loads(manifest.read_text()).get(path.name)
    except (OSError, ValueError, AttributeError) as error:
        raise CheckpointError(f"{manifest} cannot be read ({error}).") from error
    return digest
