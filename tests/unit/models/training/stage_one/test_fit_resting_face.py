from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from media.faces.landmarks import MIRROR
from models.face.resting_face import MOVED, describe
from models.face.retargeting import axis_scales
from models.training.stage_one import fit_resting_face
from models.training.stage_one.fit_resting_face import (
    BROAD_SMILES,
    KEPT_OUT,
    Disturbances,
    fit,
    photographed_pairs,
    photographed_smiles,
)
from tests.unit.models.training.tiny_speech import made_up_expressions, speech_clip
from tests.unit.models.typical_face import normal_face, pixel_face


def smiling(face: NDArray[np.float32], wider: float) -> NDArray[np.float32]:
    moved = face.copy()
    moved[[48, 60], 0] -= wider
    moved[[54, 64], 0] += wider
    return moved


def write_pairs(path: Path, people: int) -> None:
    faces: dict[str, Any] = {}
    for number in range(people):
        neutral = pixel_face()
        faces[f"l{number:02}_n"] = np.round(neutral * 64).astype(np.int16)
        faces[f"l{number:02}_s"] = np.round(smiling(neutral, 6.0) * 64).astype(np.int16)
    faces["l99_n"] = faces["l00_n"]
    np.savez(path, **faces)


def test_every_tenth_person_is_kept_out_and_one_without_a_smile_left_out(tmp_path: Path) -> None:
    write_pairs(tmp_path / "portraits.npz", 2 * KEPT_OUT + 3)
    kept, held = photographed_pairs(tmp_path / "portraits.npz")
    assert (len(kept), len(held)) == (2 * KEPT_OUT + 1, 2)


def test_a_photographed_smile_is_what_changed(tmp_path: Path) -> None:
    write_pairs(tmp_path / "portraits.npz", 2)
    pairs, _ = photographed_pairs(tmp_path / "portraits.npz")
    smile = photographed_smiles(pairs)[0] * axis_scales(pairs[0][0])
    assert smile[54, 0] == pytest.approx(0.1, abs=0.01)
    assert np.abs(smile[36:48]).max() < 0.005


def test_the_fit_takes_a_disturbance_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fit_resting_face, "PAIRS", 2000)
    smile = smiling(normal_face(), 0.1) - normal_face()
    disturbances = Disturbances(
        [speech_clip("a", 40)], made_up_expressions(tmp_path), [smile.astype(np.float32)]
    )
    linear = fit([normal_face()], disturbances.draw, np.random.default_rng(0))
    way = (describe(smiling(normal_face(), 0.1)) @ linear).reshape(-1, 2)
    corner = MOVED.index(54)
    assert way[corner, 0] == pytest.approx(-0.1, abs=0.03)


def test_a_second_fit_sees_broad_smiles_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for rare in ("RAISING", "SPEAKING_TOO"):
        monkeypatch.setattr(fit_resting_face, rare, 0.0)
    monkeypatch.setattr(fit_resting_face, "PHOTOGRAPHED", 1.0)
    broad, slight = (smiling(normal_face(), wider) - normal_face() for wider in (0.1, 0.01))
    disturbances = Disturbances(
        [speech_clip("a", 40)], made_up_expressions(tmp_path), [broad, slight]
    )
    rng = np.random.default_rng(0)
    wider = [disturbances.draw_smile(rng)[54, 0] for _ in range(50)]
    assert 0.1 * BROAD_SMILES[0] <= min(wider) < max(wider) <= 0.1 * BROAD_SMILES[1]


def test_a_mirrored_fit_treats_both_sides_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fit_resting_face, "PAIRS", 400)
    moved = np.zeros((79, 2), np.float32)
    moved[54] = (0.1, -0.1)
    one_sided, alike = (
        fit([normal_face()], lambda rng: moved, np.random.default_rng(0), mirrored=share)
        for share in (0.0, 0.5)
    )
    left = (describe(normal_face() + moved[list(MIRROR)] * (-1, 1)) @ alike).reshape(-1, 2)
    assert left[MOVED.index(48)] == pytest.approx((0.1, 0.1), abs=0.02)
    left = (describe(normal_face() + moved[list(MIRROR)] * (-1, 1)) @ one_sided).reshape(-1, 2)
    assert left[MOVED.index(48)] == pytest.approx((0.0, 0.0), abs=0.02)
