"""Weights on disk: a safetensors file a network, sizes inside, sha256 in a manifest beside it."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from models.manifest import MANIFEST, sha256_of


class CheckpointError(RuntimeError):
    """A weights file is missing, damaged or not the one that the manifest names."""


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
    """Return the tensors (floating ones as float32) and the network's sizes.

    Raises:
        CheckpointError: the file is missing, or its sha256 is not the manifest's.
    """
    if not path.exists():
        raise CheckpointError(f"{path} is missing; the repository ships it in models/weights.")
    expected = json.loads((path.parent / MANIFEST).read_text()).get(path.name)
    if sha256_of(path) != expected:
        raise CheckpointError(
            f"{path} does not have the sha256 that {MANIFEST} names ({expected})."
        )
    with safe_open(path, framework="pt") as file:
        state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        config = json.loads(file.metadata()["config"])
    return {n: t.float() if t.dtype == torch.float16 else t for n, t in state.items()}, config
