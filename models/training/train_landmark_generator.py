"""Train stage one on speaking faces and emotional speech.

    python -m models.training.train_landmark_generator --data DIR --minutes 40 --out RUN [--resume]

`models.training.speech_landmarks` and `models.training.emotional_speech` make the caches once. In
the output folder lie `state.pt` (resumable), `curve.csv`, and `landmark_generator.safetensors`, the
averaged weights at their best on people not trained on.
"""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.checkpoints import load_checkpoint, save_checkpoint
from models.emotion_encoder import VisualEmotionEncoder
from models.emotions import EMOTIONS, Emotion
from models.landmark_network import LandmarkNetwork, LandmarkNetworkConfig
from models.landmarks import NUM_LANDMARKS
from models.speech_encoder import SpeechEncoder
from models.training.alignment import align
from models.training.emotional_speech import (
    EmotionalClip,
    EmotionBatch,
    EmotionSampler,
    load_recordings,
    neutral_recording,
    split_speakers,
)
from models.training.expressions import Expressions
from models.training.head_motion import measure_head_motion
from models.training.landmark_losses import cross_modal_contrast, pull_together, speech_losses
from models.training.landmark_validation import LipScores, emotion_accuracy, score_lips
from models.training.lip_windows import LONG, SHORT, LipSampler, silence, silent_clip
from models.training.session import Session
from models.training.speech_landmarks import SpeechClip, load_clips

CHECKPOINT = "landmark_generator.safetensors"
SPEECH_PATH = ("speech.", "speech_basis", "pose_")
"""How the names of tensors begin that move the lips and the head; all others are emotion's."""
WAYS_TO_SHOW = 64
"""Variants drawn of each emotion's look."""
VALIDATE_EVERY = 150
"""Steps."""


@dataclass(frozen=True)
class TrainingOptions:
    """What a run is told."""

    data: Path
    cache: Path
    out: Path
    minutes: float
    seed: int = 0
    heads: str = "lrcar"
    rate: float = 8e-4
    batch: int = 64
    emotion_batch: int = 16


class Trainee(nn.Module):
    """Stage one and the encoder of shown emotion that helps it learn."""

    def __init__(self, config: LandmarkNetworkConfig) -> None:
        super().__init__()
        self.network = LandmarkNetwork(config)
        self.look = VisualEmotionEncoder(config.emotion)


class Looks:
    """How each emotion is shown: `[8, WAYS_TO_SHOW, 79, 2]`, and the prototypes `[8, 79, 2]`."""

    def __init__(self, expressions: Expressions, rng: np.random.Generator) -> None:
        self.rng = rng
        ways = [[expressions.show(e, rng) for _ in range(WAYS_TO_SHOW)] for e in EMOTIONS]
        self.ways = torch.from_numpy(np.array(ways))
        self.prototypes = torch.from_numpy(np.array([expressions.show(e) for e in EMOTIONS]))

    def draw(self, labels: Tensor, strengths: Tensor) -> Tensor:
        """Return one way `[B, 79, 2]` to show each of `[B]` labels at `[B]` strengths."""
        which = torch.from_numpy(self.rng.integers(0, WAYS_TO_SHOW, len(labels)))
        return self.ways[labels, which] * strengths[:, None, None]


def main() -> None:
    """Read the command line and train."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--cache", type=Path, default=Path("runs/stage_one/cache"))
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--minutes", type=float, required=True)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--heads", default="lrcar", help="set whose head motion is learnt")
    parser.add_argument("--resume", action="store_true")
    parser.add_argument("--threads", type=int, default=1)
    read = parser.parse_args()
    torch.set_num_threads(read.threads)
    options = TrainingOptions(read.data, read.cache, read.out, read.minutes, read.seed, read.heads)
    train(options, resume=read.resume)


def train(options: TrainingOptions, resume: bool) -> None:
    """Train until the minutes are spent, keeping the averaged weights at their best."""
    torch.manual_seed(options.seed)
    rng = np.random.default_rng(options.seed)
    clean = load_clips(options.cache / "clean.pt")
    speaking = [clip for clip in clean if clip.split == "train"]
    held_out = [clip for clip in clean if clip.split != "train"]
    for path in sorted(options.cache.glob("joined_*.pt")):
        speaking += load_clips(path)
    acted, heard_out = split_speakers(load_recordings(options.cache / "emotional_clean.pt"))
    acted += load_recordings(options.cache / "emotional_disturbed.pt")
    plain = load_recordings(options.cache / "plain_speech.pt")
    encoder = SpeechEncoder.load("cpu")
    silences = [silence(rng) for _ in range(32)]
    plain += [neutral_recording("nobody", waveform, encoder) for waveform in silences]
    resting = [silent_clip(waveform, encoder) for waveform in silences]
    lips = LipSampler(speaking, resting, rng)
    emotions = EmotionSampler(acted, plain, rng)
    looks = Looks(Expressions(options.data / "landmarks" / "ict68.npz"), rng)
    trainee = Trainee(LandmarkNetworkConfig())
    set_bases(trainee.network, speaking, looks)
    set_head_motion(trainee.network, options.data / "landmarks" / f"{options.heads}_train.npz")
    optimizer = torch.optim.AdamW(trainee.parameters(), options.rate, weight_decay=0.02)
    session = Session(trainee, optimizer, options.out, options.minutes)
    if resume:
        session.resume()
    while session.progress < 1.0:
        terms = step(session, lips, emotions, looks, options)
        if session.step % VALIDATE_EVERY == 0:
            validate(session, held_out, heard_out, terms)


def step(
    session: Session[Trainee],
    lips: LipSampler,
    emotions: EmotionSampler,
    looks: Looks,
    options: TrainingOptions,
) -> dict[str, float]:
    """Take one step on a batch of lips and a batch of emotions; return the terms of the loss."""
    trainee = session.network
    trainee.train()
    long = session.step % 4 == 3
    batch = lips.draw(options.batch // 3 if long else options.batch, LONG if long else SHORT)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        spoken = trainee.network.speech_motion(batch.states)
    terms = speech_losses(spoken.float(), batch.motion)
    terms |= emotion_losses(trainee, emotions.draw(options.emotion_batch), batch.motion, looks)
    session.descend(torch.stack(list(terms.values())).sum())
    return {name: float(value.detach()) for name, value in terms.items()}


def emotion_losses(
    trainee: Trainee, batch: EmotionBatch, speech: Tensor, looks: Looks
) -> dict[str, Tensor]:
    """Hear emotion, see it, bring the two together by label, and show it from either in turn."""
    network = trainee.network
    middle = batch.states.shape[1] // 4
    heard = network.heads(network.hear(batch.prosody, batch.states)[:, middle])
    labels, strengths = _with_contempt(batch.labels, batch.strengths)
    shown = looks.draw(labels, strengths)
    speech = speech[torch.arange(len(labels)) % len(speech)]
    hidden = torch.rand(len(labels)) < 0.5
    seen = network.heads(trainee.look(speech + shown[:, None], hidden)[:, speech.shape[1] // 2])
    paired = seen.embedding[: len(batch.labels)]
    expected = looks.prototypes[batch.labels] * batch.strengths[:, None, None]
    prototypes = network.heads(network.prototypes)
    everyone = torch.arange(len(EMOTIONS))
    return {
        "hear": F.cross_entropy(heard.logits, batch.labels, label_smoothing=0.1),
        "see": 0.3 * F.cross_entropy(seen.logits, labels, label_smoothing=0.05),
        "name": 0.3 * F.cross_entropy(prototypes.logits, everyone),
        "strength": F.mse_loss(heard.strength, batch.strengths)
        + 0.3 * F.mse_loss(seen.strength, strengths),
        "together": 0.2 * pull_together(heard.embedding, paired.detach()),
        "contrast": 0.1 * cross_modal_contrast(heard.embedding, paired, batch.labels),
        "show_heard": _shown_distance(network, heard.embedding, expected),
        "show_seen": _shown_distance(network, seen.embedding, shown),
        "show_named": _shown_distance(network, network.prototypes, looks.prototypes),
    }


def _with_contempt(labels: Tensor, strengths: Tensor) -> tuple[Tensor, Tensor]:
    """Add what no speech corpus acts, so that it can at least be shown when asked for."""
    contempt = torch.full((2,), EMOTIONS.index(Emotion.CONTEMPT))
    return torch.cat([labels, contempt]), torch.cat([strengths, torch.ones(2)])


def _shown_distance(network: LandmarkNetwork, embedding: Tensor, wanted: Tensor) -> Tensor:
    return 30.0 * (network.emotional_displacement(embedding) - wanted).abs().mean()


def set_bases(network: LandmarkNetwork, clips: Sequence[SpeechClip], looks: Looks) -> None:
    """Fill in the linear bases of speech motion and of emotional displacement."""
    motions = torch.cat([clip.motion[::5] for clip in clips]).float().flatten(1)
    network.speech_basis.copy_(components(motions, len(network.speech_basis)))
    shown = torch.cat([looks.ways.flatten(0, 1), looks.prototypes]).flatten(1)
    network.emotion_basis.copy_(components(shown, len(network.emotion_basis)))


def components(samples: Tensor, count: int) -> Tensor:
    """Return `count` principal components `[count, 79, 2]` about zero, each times its deviation.

    About zero and not about the mean, so that no coefficients means no motion.
    """
    power, axes = torch.linalg.eigh(samples.T @ samples / len(samples))
    scaled: Tensor = axes[:, -count:] * power[-count:].clamp(min=1e-12).sqrt()
    return scaled.T.flip(0).reshape(count, NUM_LANDMARKS, 2)


def set_head_motion(network: LandmarkNetwork, landmarks: Path) -> None:
    """Fill in how heads move in the clips of a landmarks file."""
    with np.load(landmarks) as file:
        poses = [align(file[name].astype(np.float32) / 64.0).pose for name in file]
    mixing, tempo = measure_head_motion(poses)
    network.pose_mixing.copy_(torch.from_numpy(mixing))
    network.pose_tempo.copy_(torch.from_numpy(tempo))


def validate(
    session: Session[Trainee],
    clips: Sequence[SpeechClip],
    recordings: Sequence[EmotionalClip],
    terms: dict[str, float],
) -> None:
    """Score the averaged weights, note the scores, and keep what is the best so far."""
    average = session.average
    lips = score_lips(average.network, clips)
    accuracy = emotion_accuracy(average.network, recordings)
    session.record(terms | _columns(lips) | {"emotion_accuracy": accuracy})
    keep_best(session, {"speech": _mean_correlation(lips), "emotion": accuracy})
    session.save()
    for name, scores in lips.items():
        print(f"{session.step} | {name} | {scores.row()} | emotion {accuracy:.3f}", flush=True)


def keep_best(session: Session[Trainee], scores: dict[str, float]) -> None:
    """Write each path of the network as it was when it scored best: the two share no weights."""
    path = session.folder / CHECKPOINT
    network = session.average.network
    kept = load_checkpoint(path)[0] if session.best else network.state_dict()
    for part, score in scores.items():
        if session.improves(part, score):
            kept |= {
                name: value
                for name, value in network.state_dict().items()
                if name.startswith(SPEECH_PATH) == (part == "speech")
            }
    save_checkpoint(path, kept, network.config)


def _mean_correlation(lips: dict[str, LipScores]) -> float:
    """Return the mean over all clips, most of which are of unseen people."""
    total = sum(scores.clips for scores in lips.values())
    return sum(scores.clips * scores.correlation for scores in lips.values()) / total


def _columns(lips: dict[str, LipScores]) -> dict[str, float]:
    return {f"{name}_correlation": scores.correlation for name, scores in lips.items()}


if __name__ == "__main__":
    main()
