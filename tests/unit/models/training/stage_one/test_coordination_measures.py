import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from media.emotions import EMOTIONS, Emotion
from models.speech_to_landmarks.prosody import CHANNELS
from models.training.stage_one.action_units import FRAMES_FILE, MEANS_FILE, RECORDED
from models.training.stage_one.coordination_measures import (
    DRAWN,
    HEARING,
    LOOK,
    Examination,
    Readout,
)
from models.training.stage_one.emotional_speech import CLEAN, EmotionalClip, save_recordings
from tests.unit.models.tiny_generator import tiny_action, tiny_network

FRAMES = 30
ACTED = {
    1: Emotion.NEUTRAL, 3: Emotion.HAPPINESS, 4: Emotion.SADNESS, 5: Emotion.ANGER,
    6: Emotion.FEAR, 7: Emotion.DISGUST, 8: Emotion.SURPRISE,
}  # fmt: skip
LEARNT = [f"03-01-{number:02d}-02-01-01-01" for number in ACTED]
UNSEEN = PLAIN, ANGRY = tuple(f"03-01-{number:02d}-02-01-01-05" for number in (1, 5))


@pytest.fixture
def examination(tmp_path: Path) -> Examination:
    """Return what is asked about an actor kept out, angry and neutral, and one trained on."""
    rng = np.random.default_rng(0)
    (tmp_path / "speech").mkdir()
    clips, labels, means = [], [], []
    for name in (*LEARNT, *UNSEEN):
        number, speaker = int(name[6:8]), f"ravdess_{name[-2:]}"
        emotion, strength = ACTED[number], 0.0 if number == 1 else 1.0
        sound = torch.randn(CHANNELS, 4 * FRAMES).half()
        clips.append(
            EmotionalClip(speaker, emotion, strength, sound, torch.randn(2 * FRAMES, 24).half())
        )
        labels.append([f"ravdess/{name}.flac", speaker, emotion, "strong"])
        level = strength * rng.random(len(RECORDED))
        means.append([name, int(name[-2:]), number, *level])
    _write(tmp_path / "speech" / "labels.csv", ["file", "speaker", "emotion", "intensity"], labels)
    _write(tmp_path / MEANS_FILE, ["clip", "actor", "emotion", *RECORDED], means)
    tracks: dict[str, Any] = {name: rng.random((36, len(RECORDED))) for name in (*LEARNT, *UNSEEN)}
    np.savez(tmp_path / FRAMES_FILE, **tracks)
    save_recordings(tmp_path / CLEAN, clips)
    return Examination(tmp_path, tmp_path, tiny_action())


def _write(path: Path, header: list[str], rows: list[list[Any]]) -> None:
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([header, *rows])


@torch.no_grad()
def test_held_out_actors_are_evaluated(examination: Examination) -> None:
    network = tiny_network()
    network.heads.classify.weight.zero_()
    network.heads.classify.bias[EMOTIONS.index(Emotion.ANGER)] = 50.0
    figures = examination.measure(network)
    assert figures[HEARING] == {PLAIN: 0.0, ANGRY: 1.0}
    assert all(set(found) == set(UNSEEN) for found in figures.values())
    assert all(np.isfinite(list(found.values())).all() for found in figures.values())


@torch.no_grad()
def test_a_look_like_the_takes_own_scores_higher_than_another(examination: Examination) -> None:
    network = tiny_network()
    network.heads.classify.weight.zero_()
    anger = EMOTIONS.index(Emotion.ANGER)
    network.heads.classify.bias[anger] = 50.0
    own = torch.einsum("k,skpc->pc", examination.levels[ANGRY], examination.action.basis)
    examination.action.looks[:, anger] = own
    assert examination.measure(network)[LOOK][ANGRY] == pytest.approx(1.0, abs=1e-3)
    examination.action.looks[:, anger] = -own
    assert examination.measure(network)[LOOK][ANGRY] == pytest.approx(-1.0, abs=1e-3)


@torch.no_grad()
def test_movement_drawn_near_the_real_one_scores_higher(examination: Examination) -> None:
    network = tiny_network()
    examination.action.flow.mixing.mul_(0.01)
    torch.nn.init.zeros_(examination.action.flow.leave.weight)
    near = examination.measure(network)[DRAWN][ANGRY]
    examination.action.flow.mixing.mul_(1000.0)
    assert examination.measure(network)[DRAWN][ANGRY] < near < 0.0


def test_a_readout_explains_what_depends_on_the_embedding_and_nothing_else() -> None:
    torch.manual_seed(0)
    known = torch.randn(400, 8)
    followed = known @ torch.randn(8, 14)
    read = Readout([known[:300]], [followed[:300]])
    unrelated = Readout([known[:300]], [torch.randn(300, 14)])
    unseen = {str(n): known[300 + n : 301 + n] for n in range(100)}
    wanted = {str(n): followed[300 + n : 301 + n] for n in range(100)}
    assert np.mean(list(read.explained(unseen, wanted).values())) > 0.95
    assert np.mean(list(unrelated.explained(unseen, wanted).values())) < 0.1
