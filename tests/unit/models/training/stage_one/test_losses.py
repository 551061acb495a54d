import torch

from models.training.stage_one.losses import (
    correlation,
    cross_modal_contrast,
    lip_opening,
    lip_width,
    point_weights,
    pull_together,
    speech_losses,
)


def talking(frames: int = 20) -> torch.Tensor:
    """Return motion `[2, T, 79, 2]` of a mouth that opens and closes."""
    motion = torch.zeros(2, frames, 79, 2)
    motion[:, :, 65:68, 1] = 0.1 * torch.arange(frames).sin().square()[None, :, None]
    return motion


def test_a_perfect_prediction_has_no_loss() -> None:
    terms = speech_losses(talking(), talking())
    assert all(float(term) < 1e-2 for term in terms.values())


def test_lips_count_more_than_the_chin() -> None:
    weights = point_weights()[:, 0]
    assert weights[62] > weights[50] > weights[8]


def test_a_mouth_that_stays_shut_costs_in_every_way_but_width() -> None:
    terms = speech_losses(torch.zeros_like(talking()), talking())
    assert all(float(value) > 1e-2 for name, value in terms.items() if name != "width")


def test_opening_and_width_read_the_mouth() -> None:
    motion = torch.zeros(1, 1, 79, 2)
    motion[..., 65:68, 1] = 0.2
    motion[..., 54, 0] = 0.1
    assert torch.allclose(lip_opening(motion), torch.tensor(0.2))
    assert torch.allclose(lip_width(motion), torch.tensor(0.1))


def test_correlation_ignores_scale_and_sees_sign() -> None:
    wave = torch.arange(20.0).sin()[None]
    assert torch.allclose(correlation(3 * wave, wave), torch.ones(1), atol=1e-3)
    assert torch.allclose(correlation(-wave, wave), -torch.ones(1), atol=1e-3)


def test_what_hardly_moves_has_no_correlation() -> None:
    wave = torch.arange(20.0).sin()[None]
    assert correlation(1e-6 * wave, wave).abs() < 0.1


def test_pull_is_least_for_equal_directions() -> None:
    one = torch.randn(4, 8)
    assert pull_together(one, 2 * one) < 1e-5 < pull_together(one, -one)


def test_contrast_prefers_pairs_of_one_label() -> None:
    labels = torch.tensor([0, 0, 1, 1])
    embeddings = torch.eye(2)[labels]
    swapped = embeddings.flip(0)
    by_label = torch.zeros(4, dtype=torch.bool)
    right = cross_modal_contrast(embeddings, embeddings, labels, by_label)
    wrong = cross_modal_contrast(embeddings, swapped, labels, by_label)
    assert right < wrong


def test_contrast_separates_takes_with_known_faces() -> None:
    labels = torch.tensor([0, 0, 1, 1])
    voices = torch.eye(4)
    exchanged = voices[[1, 0, 3, 2]]
    by_take, by_label = torch.ones(4, dtype=torch.bool), torch.zeros(4, dtype=torch.bool)
    kept = cross_modal_contrast(voices, voices, labels, by_take)
    assert kept < 0.1 * cross_modal_contrast(voices, exchanged, labels, by_take)
    either = cross_modal_contrast(voices, exchanged, labels, by_label)
    torch.testing.assert_close(either, cross_modal_contrast(voices, voices, labels, by_label))


def test_contrast_does_not_push_takes_of_one_label_apart() -> None:
    voices = torch.randn(2, 8)
    labels, paired = torch.tensor([3, 3]), torch.tensor([True, False])
    assert cross_modal_contrast(voices, voices.flip(0), labels, paired).abs() < 1e-6
