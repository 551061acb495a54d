"""Reduce ICT-FaceKit's morphable face to 68 landmarks: the effect of facial actions on them.

    python -m models.training.convert_face_model ICT-FaceKit/FaceXModel data/landmarks/ict68.npz

ICT-FaceKit (Li et al., 2020; MIT), https://github.com/ICT-VGL/ICT-FaceKit, publishes a neutral
mesh, one mesh per facial action, and in `vertex_indices.json` the vertices of the 68 landmarks.
"""

import argparse
import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

NEUTRAL = "generic_neutral_mesh"
LANDMARKS = "idx_to_landmark_verts"


def main() -> None:
    """Parse the command line and write the file."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", type=Path, help="the folder of .obj files")
    parser.add_argument("out", type=Path)
    options = parser.parse_args()
    convert_face_model(options.model, options.out)


def convert_face_model(model: Path, out: Path) -> None:
    """Write `neutral` `[68, 3]`, `expression` `[N, 68, 3]` offsets from it, `expression_names`.

    Units are those of the meshes, cm, with x to the face's left, y up and z ahead. Identity meshes
    are left out.

    Raises:
        FileNotFoundError: the folder is not ICT-FaceKit's FaceXModel.
    """
    points = np.array(json.loads((model / "vertex_indices.json").read_text())[LANDMARKS])
    neutral = read_vertices(model / f"{NEUTRAL}.obj")[points]
    meshes = sorted(path for path in model.glob("*.obj") if not _is_identity(path.stem))
    offsets = [read_vertices(path)[points] - neutral for path in meshes]
    np.savez(
        out,
        neutral=neutral,
        expression=np.array(offsets, np.float32),
        expression_names=np.array([path.stem for path in meshes]),
    )


def read_vertices(path: Path) -> NDArray[np.float32]:
    """Return the vertices `[V, 3]` of a Wavefront .obj file."""
    with path.open() as file:
        rows = [line.split()[1:4] for line in file if line.startswith("v ")]
    return np.array(rows, np.float32)


def _is_identity(name: str) -> bool:
    return name == NEUTRAL or name.startswith("identity")


if __name__ == "__main__":
    main()
