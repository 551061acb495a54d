"""Convert Silero VAD's weights from the file that its package ships.

    python -m models.training.convert_voice_activity silero_vad_16k.safetensors

The file is `silero_vad/data/silero_vad_16k.safetensors` in the wheel `silero-vad==6.2.3` on PyPI
(MIT).
"""

import argparse
from pathlib import Path

from safetensors.torch import load_file
from torch import Tensor

from models.checkpoints import save_checkpoint
from models.manifest import WEIGHTS
from models.speech_to_landmarks.voice_activity import CHECKPOINT, VoiceActivityConfig

NAMES = {
    "stft_conv.": "spectrum.",
    "conv1.": "convolutions.0.",
    "conv2.": "convolutions.1.",
    "conv3.": "convolutions.2.",
    "conv4.": "convolutions.3.",
    "lstm_cell.": "cell.",
    "final_conv.": "read.",
}


def main() -> None:
    """Write models/weights/voice_activity.safetensors."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path)
    state = dict(convert(item) for item in load_file(parser.parse_args().file).items())
    save_checkpoint(WEIGHTS / CHECKPOINT, state, VoiceActivityConfig())


def convert(item: tuple[str, Tensor]) -> tuple[str, Tensor]:
    """Return this project's name and shape of a tensor."""
    name, tensor = item
    for theirs, ours in NAMES.items():
        if name.startswith(theirs):
            name = ours + name.removeprefix(theirs)
    if name.startswith("cell."):
        name += "_l0"
    return name, tensor[..., 0] if name == "read.weight" else tensor


if __name__ == "__main__":
    main()
