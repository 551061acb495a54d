from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from models.landmarks_to_video.face_regions import Region, opening_mask
from models.landmarks_to_video.painter_network import PainterConfig
from models.landmarks_to_video.visual_translator import TranslatorConfig, VisualTranslator
from models.training.stage_two import trainer
from models.training.stage_two.face_pairs import PairBatch, PairSampler
from models.training.stage_two.trainer import Options, Trainer, follow
from tests.unit.models.training.talking_faces import talking_faces

TINY = PainterConfig((8, 8, 8), (4, 4, 4), (1, 1, 1), 8)
CONFIG = TranslatorConfig(mouth=TINY, eyes=TINY, motion_width=8)


def tiny_trainer(out: Path) -> Trainer:
    torch.manual_seed(0)
    return Trainer(VisualTranslator(CONFIG), Options(Path(), out, minutes=1, batch=4))


@pytest.fixture
def sampler() -> PairSampler:
    return PairSampler(talking_faces(), np.random.default_rng(0))


class UndrawnMouths(PairSampler):
    """Mouths without teeth: nothing is drawn into them, all of their colours are learnt."""

    def window_pairs(self, count: int, region: Region, *, aligned: bool = False) -> PairBatch:
        pairs = super().window_pairs(count, region, aligned=aligned)
        return replace(pairs, window=replace(pairs.window, teeth=None))


def test_the_mouth_learns_the_colours_of_what_is_not_drawn(tmp_path: Path) -> None:
    trainer = tiny_trainer(tmp_path)
    sampler = UndrawnMouths(talking_faces(), np.random.default_rng(0))
    losses = [trainer.step("mouth", [sampler])["colour"] for _ in range(20)]
    assert np.mean(losses[-6:]) < 0.7 * np.mean(losses[:6])


class RepaintedMouths(PairSampler):
    """Mouths with other pixels between their lips than were filmed."""

    def window_pairs(self, count: int, region: Region, *, aligned: bool = False) -> PairBatch:
        pairs = super().window_pairs(count, region, aligned=aligned)
        window = pairs.window
        opening = opening_mask(window.target, region, window.origin, grow=0, polygon=0)
        return replace(pairs, wanted=torch.lerp(pairs.wanted, 1 - pairs.wanted, opening))


def test_the_mouth_does_not_learn_what_is_drawn(tmp_path: Path) -> None:
    filmed, repainted = (
        tiny_trainer(tmp_path).step("mouth", [sampler(talking_faces(), np.random.default_rng(0))])
        for sampler in (PairSampler, RepaintedMouths)
    )
    assert filmed["pixels"] > 0
    assert repainted == pytest.approx(filmed)


@pytest.mark.parametrize("part", ["mouth", "eyes", "motion"])
def test_a_step_moves_its_own_part_alone(part: str, tmp_path: Path, sampler: PairSampler) -> None:
    trainer = tiny_trainer(tmp_path)
    before = {n: p.clone() for n, p in trainer.translator.named_parameters()}
    terms = trainer.step(part, [sampler])
    moved = {
        n.split(".")[0] for n, p in trainer.translator.named_parameters() if not p.equal(before[n])
    }
    assert moved == {part}
    assert all(np.isfinite(list(terms.values())))


def test_training_resumes_where_it_stopped(tmp_path: Path) -> None:
    faces = talking_faces()
    trainer = tiny_trainer(tmp_path)
    trainer.step("mouth", [PairSampler(faces, np.random.default_rng(0))])
    trainer.save()
    resumed = tiny_trainer(tmp_path)
    resumed.restore()
    for each in (trainer, resumed):
        each.step("mouth", [PairSampler(faces, np.random.default_rng(1))])
    assert resumed.progress.steps["mouth"] == 2
    pairs = zip(trainer.average.parameters(), resumed.average.parameters(), strict=True)
    assert all(torch.allclose(a, b, atol=1e-6) for a, b in pairs)


def test_the_discriminator_joins_late_and_learns(tmp_path: Path, sampler: PairSampler) -> None:
    trainer = tiny_trainer(tmp_path)
    assert "adversarial" not in trainer.step("mouth", [sampler])
    trainer.options.adversarial_from = -1.0
    before = next(trainer.critics[1].discriminator.parameters()).clone()
    assert "adversarial" in trainer.step("mouth", [sampler])
    assert not next(trainer.critics[1].discriminator.parameters()).equal(before)


def test_the_average_follows_slowly() -> None:
    average, module = torch.nn.Linear(1, 1), torch.nn.Linear(1, 1)
    torch.nn.init.zeros_(average.weight)
    torch.nn.init.ones_(module.weight)
    follow(average, module, step=100_000)
    assert average.weight.item() == pytest.approx(1 - trainer.EMA_DECAY)
