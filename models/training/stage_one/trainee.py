"""Training of stage one: the network, the encoder of displayed emotion, and their losses."""

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from media.emotions import EMOTIONS, Emotion
from models.precision import mixed_precision
from models.speech_to_landmarks.emotion_encoder import HeardEmotion, VisualEmotionEncoder
from models.speech_to_landmarks.landmark_network import LandmarkNetwork
from models.training.stage_one.emotional_speech import CROP, EmotionBatch
from models.training.stage_one.expressions import Expressions
from models.training.stage_one.lip_windows import LipBatch
from models.training.stage_one.losses import cross_modal_contrast, pull_together, speech_losses

WAYS_TO_SHOW = 64
"""Number of variants drawn of each emotion's look."""

Terms = dict[str, Tensor]


class Looks:
    """Displayed emotions: variants `[8, WAYS_TO_SHOW, 79, 2]` and prototypes `[8, 79, 2]`."""

    def __init__(self, expressions: Expressions, rng: np.random.Generator) -> None:
        self.rng = rng
        ways = [[expressions.show(e, rng) for _ in range(WAYS_TO_SHOW)] for e in EMOTIONS]
        self.ways = torch.from_numpy(np.array(ways))
        self.prototypes = torch.from_numpy(np.array([expressions.show(e) for e in EMOTIONS]))

    def draw(self, labels: Tensor, strengths: Tensor) -> Tensor:
        """Return a random look `[B, 79, 2]` for each of `[B]` labels at `[B]` strengths."""
        which = torch.from_numpy(self.rng.integers(0, WAYS_TO_SHOW, len(labels)))
        return self.ways[labels.cpu(), which].to(strengths) * strengths[:, None, None]


class Trainee(nn.Module):
    """Stage one and, with coordination, the encoder of displayed emotion.

    Without coordination, that encoder is not used, and the look of an emotion is learned from its
    sound. Without lips, only the path of emotion is trained; the two share no weights.
    """

    def __init__(
        self, network: LandmarkNetwork, coordination: bool = True, lips: bool = True
    ) -> None:
        super().__init__()
        self.network = network
        self.lips = lips
        network.speech.requires_grad_(lips)
        self.look = VisualEmotionEncoder(network.config.emotion) if coordination else None

    def forward(self, lips: LipBatch, emotions: EmotionBatch, looks: Looks) -> Terms:
        """Return the terms of the loss on a batch of lips and a batch of emotions."""
        heard = self._hear(emotions)
        terms = hearing_losses(self.network, heard, emotions, looks)
        if self.lips:
            with mixed_precision(lips.states.device):
                spoken = self.network.speech_motion(lips.states)
            terms |= speech_losses(spoken.float(), lips.motion)
        if self.look is not None:
            terms |= coordination_losses(
                self.network, self.look, heard, emotions, lips.motion, looks
            )
        return terms

    def _hear(self, batch: EmotionBatch) -> HeardEmotion:
        """Return the detected emotion in the middle of each crop."""
        middle = batch.states.shape[1] // 4
        embedding = self.network.hear(batch.prosody, batch.states)[:, middle]
        heard: HeardEmotion = self.network.heads(embedding)
        return heard


def hearing_losses(
    network: LandmarkNetwork, heard: HeardEmotion, batch: EmotionBatch, looks: Looks
) -> Terms:
    """Classify the detected emotion and its strength, and display it; also display each one by
    name.
    """
    prototypes = looks.prototypes.to(batch.strengths)
    expected = prototypes[batch.labels] * batch.strengths[:, None, None]
    named = network.heads(network.prototypes)
    everyone = torch.arange(len(EMOTIONS), device=batch.labels.device)
    return {
        "hear": F.cross_entropy(heard.logits, batch.labels, label_smoothing=0.1),
        "name": 0.3 * F.cross_entropy(named.logits, everyone),
        "strength": F.mse_loss(heard.strength, batch.strengths),
        "show_heard": _shown_distance(network, heard.embedding, expected),
        "show_named": _shown_distance(network, network.prototypes, prototypes),
    }


def coordination_losses(
    network: LandmarkNetwork,
    look: VisualEmotionEncoder,
    heard: HeardEmotion,
    batch: EmotionBatch,
    speech: Tensor,
    looks: Looks,
) -> Terms:
    """Encode each emotion displayed by a speaking face `[B, T, 79, 2]`, and align both encoders.

    A voice is paired with the face of the same take, or, where that is unknown, by label.
    """
    labels, strengths = _with_contempt(batch.labels, batch.strengths)
    shown = looks.draw(labels, strengths)[:, None].repeat(1, CROP, 1, 1)
    shown[: len(batch.labels)][batch.paired] = batch.faces[batch.paired]
    speech = to_and_fro(speech, CROP)[torch.arange(len(labels)) % len(speech)]
    hidden = torch.rand(len(labels), device=speech.device) < 0.5
    seen = network.heads(look(speech + shown, hidden)[:, CROP // 2])
    paired = seen.embedding[: len(batch.labels)]
    return {
        "see": 0.3 * F.cross_entropy(seen.logits, labels, label_smoothing=0.05),
        "seen_strength": 0.3 * F.mse_loss(seen.strength, strengths),
        "together": 0.2 * pull_together(heard.embedding, paired.detach()),
        "contrast": 0.1 * cross_modal_contrast(heard.embedding, paired, batch.labels, batch.paired),
        "show_seen": _shown_distance(network, seen.embedding, shown.mean(1)),
    }


def to_and_fro(motion: Tensor, frames: int) -> Tensor:
    """Return motion `[B, T, ...]` as `[B, frames, ...]`, played forwards and backwards in turn."""
    length = motion.shape[1]
    times = torch.arange(frames, device=motion.device) % (2 * length)
    return motion[:, torch.minimum(times, 2 * length - 1 - times)]


def _with_contempt(labels: Tensor, strengths: Tensor) -> tuple[Tensor, Tensor]:
    """Add contempt, which hardly any speech corpus contains, so that it can be displayed on
    request.
    """
    contempt = labels.new_full((2,), EMOTIONS.index(Emotion.CONTEMPT))
    return torch.cat([labels, contempt]), torch.cat([strengths, strengths.new_ones(2)])


def _shown_distance(network: LandmarkNetwork, embedding: Tensor, wanted: Tensor) -> Tensor:
    return 30.0 * (network.emotional_displacement(embedding) - wanted).abs().mean()
