"""Identity embeddings from dlib's network (King, 2017; CC0), if it is installed.

    pip install dlib-bin && pip install --no-deps face-recognition-models==0.3.0

The network was trained for distances: two pictures less than 0.6 apart count as the same person,
which is correct for 99.4 % of the pairs in LFW by dlib's own measurement. Cosines of its
embeddings, as required by CSIM, are high for everyone (about 0.8 between different people): compare
them with those of another person.
"""

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

NETWORK = "dlib_face_recognition_resnet_model_v1.dat"
EYES_AND_NOSE = "shape_predictor_5_face_landmarks.dat"
CHIP, PADDING = 150, 0.25
"""Side of the aligned face for the network, px, and its margin."""
USUAL_FACE = (60, 60, 210, 210)
"""Left, top, right and bottom of the face on a crop without a detected face, px."""


def find_dlib_network() -> Path | None:
    """Return the network's file if both packages are installed, or None."""
    models = find_spec("face_recognition_models")
    if models is None or models.origin is None or find_spec("dlib") is None:
        return None
    # Located without importing it: the package's import needs an obsolete setuptools.
    path = Path(models.origin).parent / "models" / NETWORK
    return path if path.exists() else None


def load_dlib_identity(network: Path) -> Callable[[Tensor], Tensor]:
    """Return a function from frames `[B, 3, 256, 256]` in 0-1 to embeddings `[B, 128]`.

    The file of the five-landmark predictor, used to align faces, is next to the network's file.
    """
    import dlib  # an optional package

    embed = dlib.face_recognition_model_v1(str(network))
    align = dlib.shape_predictor(str(network.with_name(EYES_AND_NOSE)))
    detect = dlib.get_frontal_face_detector()

    def embeddings(frames: Tensor) -> Tensor:
        pictures = (frames * 255).round().byte().permute(0, 2, 3, 1).cpu().numpy()
        chips = []
        for picture in np.ascontiguousarray(pictures):
            found = detect(picture, 0)
            face = found[0] if found else dlib.rectangle(*USUAL_FACE)
            chips.append(dlib.get_face_chip(picture, align(picture, face), CHIP, PADDING))
        return torch.from_numpy(np.array(embed.compute_face_descriptor(chips), np.float32))

    return embeddings
