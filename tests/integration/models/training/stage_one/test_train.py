from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from models.checkpoints import load_checkpoint
from models.speech_to_landmarks.landmark_network import LandmarkNetwork, LandmarkNetworkConfig
from models.training.stage_one.bases import components
from models.training.stage_one.emotional_speech import EmotionSampler
from models.training.stage_one.lip_windows import SHORT
from models.training.stage_one.train import (
    CHECKPOINT,
    finish,
    keep_best,
    starting_network,
    step,
    validate,
)
from tests.unit.models.tiny_generator import TINY
from tests.unit.models.training.stage_one.tiny_run import TinyRun
from tests.unit.models.training.tiny_speech import emotional_clips


def test_loss_falls_and_a_resumed_run_continues(tmp_path: Path) -> None:
    run = TinyRun(tmp_path)
    losses = run.steps(24)
    assert np.mean(losses[-4:]) < 0.85 * np.mean(losses[:4])
    validate(run.session, run.held_out, {})
    resumed = TinyRun(tmp_path)
    resumed.session.resume()
    assert resumed.session.step == 24
    assert np.mean(resumed.steps(4)) < 0.85 * np.mean(losses[:4])


def test_validation_keeps_weights_that_load(tmp_path: Path) -> None:
    run = TinyRun(tmp_path)
    run.steps(2)
    validate(run.session, run.held_out, {"loss": 1.0})
    state, sizes = load_checkpoint(tmp_path / CHECKPOINT)
    network = LandmarkNetwork(LandmarkNetworkConfig.from_sizes(sizes))
    network.load_state_dict(state)
    assert network.config == TINY


def test_each_path_is_kept_as_it_was_at_its_own_best(tmp_path: Path) -> None:
    run = TinyRun(tmp_path)
    network = run.session.average.network
    keep_best(run.session, {"speech": 0.5, "emotion": 0.5})
    with torch.no_grad():
        for tensor in network.state_dict().values():
            tensor.copy_(tensor + 1)
    keep_best(run.session, {"speech": 0.4, "emotion": 0.6})
    kept, _ = load_checkpoint(tmp_path / CHECKPOINT)
    ahead = {name: network.state_dict()[name] - kept[name] for name in kept}
    assert (ahead["speech.read.weight"] - 1.0).abs().max() < 1e-2
    assert ahead["heads.classify.weight"].abs().max() < 1e-2


def test_components_rebuild_what_they_were_drawn_from() -> None:
    generator = torch.Generator().manual_seed(0)
    samples = torch.randn(200, 3, generator=generator) @ torch.randn(3, 158, generator=generator)
    basis = components(samples, 3).flatten(1)
    rebuilt = samples @ torch.linalg.pinv(basis) @ basis
    torch.testing.assert_close(rebuilt, samples, atol=1e-3, rtol=1e-3)


def test_without_coordination_the_displayed_emotion_is_not_encoded_but_shown(
    tmp_path: Path,
) -> None:
    run = TinyRun(tmp_path, coordination=False)
    terms = step(run.session, run.lips, run.emotions, run.looks, run.options)
    assert {"hear", "show_heard", "points"} < set(terms)
    assert not {"see", "together", "contrast", "show_seen"} & set(terms)
    assert not any(name.startswith("look") for name in run.session.network.state_dict())


def test_a_finished_run_reports_the_scores_of_its_kept_weights(tmp_path: Path) -> None:
    run = TinyRun(tmp_path)
    run.steps(2)
    score = finish(run.session, run.held_out, {"loss": 1.0})
    assert score.table() in (tmp_path / "validation.md").read_text()
    assert (tmp_path / "sheet.png").stat().st_size > 1000


def test_a_run_starts_from_weights_as_they_were_trained(tmp_path: Path) -> None:
    run = TinyRun(tmp_path)
    run.steps(2)
    finish(run.session, run.held_out, {"loss": 1.0})
    trained = tmp_path / CHECKPOINT
    options = replace(run.options, weights=trained)
    network = starting_network(options, run.held_out.clips, run.looks)
    kept, _ = load_checkpoint(trained)
    assert all(kept[name].equal(value) for name, value in network.state_dict().items())
    assert kept["speech_basis"].abs().max() > 0


def test_a_run_of_emotion_alone_leaves_the_lips_as_they_were(tmp_path: Path) -> None:
    run = TinyRun(tmp_path, lips=False)
    before = {name: value.clone() for name, value in run.session.network.state_dict().items()}
    terms = step(run.session, run.lips, run.emotions, run.looks, run.options)
    assert "points" not in terms
    after = run.session.network.state_dict()
    changed = {name for name in before if not before[name].equal(after[name])}
    assert any(name.startswith("network.hear") for name in changed)
    assert not any(name.startswith("network.speech") for name in changed)


def test_the_face_of_a_take_is_what_is_seen_of_it(tmp_path: Path) -> None:
    run = TinyRun(tmp_path)
    trainee = run.session.network
    face = torch.zeros(30, 79, 2)
    face[:, 20, 1] = 7.0
    [known, *others] = emotional_clips()
    run.emotions = EmotionSampler([replace(known, face=face), *others], [], run.emotions.rng)
    seen = list[torch.Tensor]()
    assert trainee.look is not None
    trainee.look.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    batch = run.emotions.draw(24)
    terms = trainee(run.lips.draw(4, SHORT), batch, run.looks)
    raised = seen[0][:24, :, 20, 1].mean(1) > 3.0
    assert raised.equal(batch.paired)
    assert 0 < int(raised.sum()) < 24
    assert all(term.isfinite() for term in terms.values())
