"""Training the retouch of drawn mouths."""

import numpy as np
import pytest
import torch

from models.landmarks_to_video.face_regions import MOUTH
from models.landmarks_to_video.painter_network import PainterConfig
from models.landmarks_to_video.visual_translator import TranslatorConfig, VisualTranslator
from models.training.common.compute import Compute
from models.training.stage_two.face_pairs import PairSampler
from models.training.stage_two.train_retouch import MouthPool, draw_sheet, retouch_losses
from tests.unit.models.training.talking_faces import talking_faces

TINY = PainterConfig((8, 8, 8), (4, 4, 4), (1, 1, 1), 8)


@pytest.fixture
def translator() -> VisualTranslator:
    torch.manual_seed(0)
    return VisualTranslator(TranslatorConfig(mouth=TINY, eyes=TINY, motion_width=8))


@pytest.fixture
def pool(translator: VisualTranslator) -> MouthPool:
    sampler = PairSampler(talking_faces(), np.random.default_rng(0))
    return MouthPool(sampler, translator, 32, Compute())


def test_film_and_drawing_agree_outside_the_lips(pool: MouthPool) -> None:
    mouths = pool.choose(8)
    far = (mouths.opening.reach == 0) & (mouths.opening.inside == 0)
    difference = ((mouths.drawn - mouths.wanted).abs() * far).sum() / far.sum() / 3
    assert float(difference) < 0.02


def test_a_drawn_mouth_comes_nearer_to_film(pool: MouthPool, translator: VisualTranslator) -> None:
    network = translator.mouth.retouch
    optimizer = torch.optim.Adam(network.parameters(), 5e-3)
    totals = []
    for _ in range(20):
        loss = torch.stack(list(retouch_losses(network, pool.choose(4), Compute()).values())).sum()
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        totals.append(loss.item())
    assert np.mean(totals[-4:]) < 0.9 * np.mean(totals[:4])


def test_the_oldest_mouths_are_replaced(pool: MouthPool) -> None:
    before = pool.mouths.wanted.clone()
    pool.renew()
    assert not pool.mouths.wanted.equal(before)


def test_the_sheet_shows_drawn_retouched_and_filmed_mouths(
    pool: MouthPool, translator: VisualTranslator
) -> None:
    sheet = draw_sheet(translator.mouth.retouch, pool.mouths)
    assert sheet.size == (2 * 3 * 2 * MOUTH.width, 8 * 2 * MOUTH.height)
