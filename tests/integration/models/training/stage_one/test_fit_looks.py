from pathlib import Path

from models.speech_to_landmarks.landmark_network import LandmarkNetwork
from models.training.stage_one.fit_looks import fit
from models.training.stage_one.trainee import Looks
from tests.unit.models.training.stage_one.tiny_run import TinyRun


def distance_to_looks(network: LandmarkNetwork, looks: Looks) -> float:
    shown = network.emotional_displacement(network.prototypes).detach()
    return float((shown - looks.prototypes).abs().mean())


def test_new_looks_are_learnt_and_detection_is_unchanged(tmp_path: Path) -> None:
    run = TinyRun(tmp_path)
    network = run.session.network.network
    before = {name: value.clone() for name, value in network.state_dict().items()}
    far = distance_to_looks(network, run.looks)

    fit(network, run.emotions, run.looks, steps=40)

    assert distance_to_looks(network, run.looks) < 0.7 * far
    changed = {n for n, value in network.state_dict().items() if not value.equal(before[n])}
    assert {name.partition(".")[0] for name in changed} <= {"express", "emotion_basis"}
