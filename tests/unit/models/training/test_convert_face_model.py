import json
from pathlib import Path

import numpy as np

from models.training.convert_face_model import convert_face_model

VERTICES = np.arange(300, dtype=np.float32).reshape(100, 3)
POINTS = list(range(99, 31, -1))


def write_mesh(path: Path, vertices: np.ndarray[tuple[int, ...], np.dtype[np.float32]]) -> None:
    rows = [f"v {x} {y} {z}" for x, y, z in vertices]
    path.write_text("\n".join(["# a face", *rows, "vn 0 0 1", "vt 0.5 0.5", "f 1/1 2/2 3/3"]))


def test_actions_are_offsets_of_the_landmarks_from_the_neutral_face(tmp_path: Path) -> None:
    write_mesh(tmp_path / "generic_neutral_mesh.obj", VERTICES)
    write_mesh(tmp_path / "identity000.obj", VERTICES + 5)
    write_mesh(tmp_path / "jawOpen.obj", VERTICES - (0, 1, 0))
    write_mesh(tmp_path / "browDown_L.obj", VERTICES - (-0.5, 0, 0))
    (tmp_path / "vertex_indices.json").write_text(json.dumps({"idx_to_landmark_verts": POINTS}))
    convert_face_model(tmp_path, tmp_path / "face.npz")
    with np.load(tmp_path / "face.npz") as face:
        np.testing.assert_array_equal(face["neutral"], VERTICES[POINTS])
        offsets = dict(zip(face["expression_names"], face["expression"], strict=True))
    assert set(offsets) == {"jawOpen", "browDown_L"}
    np.testing.assert_array_equal(offsets["jawOpen"], np.tile([0, -1, 0], (68, 1)))
    np.testing.assert_array_equal(offsets["browDown_L"], np.tile([0.5, 0, 0], (68, 1)))
