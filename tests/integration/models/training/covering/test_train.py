"""What a network learns of labels that are unsure."""

import numpy as np
import pytest
from PIL import Image

from models.training.covering.things import UNSURE
from models.training.covering.train import Sitter, draw_batch, loss_of, train
from tests.unit.models.faces import face_landmarks, face_picture

FACE = (face_landmarks() / 2).astype(np.float32)
PICTURE = Image.fromarray(face_picture()).resize((128, 128))


def test_uncertain_labels_have_no_loss() -> None:
    sitters = [Sitter("l0001_n", PICTURE, FACE)]
    network = train(sitters, steps=2, seed=0)
    crops, labels = draw_batch(sitters, np.random.default_rng(1))
    assert crops.shape == (len(labels), 3, 64, 64)
    labels[:, 0], labels[0, 0] = UNSURE, 1.0
    labels[:, 1] = UNSURE
    expected = -network(crops)[0, 0].sigmoid().log()
    loss = loss_of(network(crops), labels)
    assert loss.item() == pytest.approx(expected.item(), abs=1e-5)
