"""Train stage one on speaking faces and emotional speech.

    python -m models.training.stage_one.train --data DIR --minutes 40 --out RUN [--resume]

`models.training.stage_one.speech_landmarks` and `models.training.stage_one.emotional_speech` write
the caches once. The output folder contains `state.pt` (to resume from), `curve.csv`, `sheet.png`
(the lips' opening, generated and real), `validation.md`, and `landmark_generator.safetensors`, the
averaged weights with the best scores on unseen people. Runs on several GPUs, or processes, under
torchrun.
"""

import argparse
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from models.checkpoints import load_checkpoint, save_checkpoint
from models.corpus.manifest import largest_set
from models.corpus.recordings import list_recordings
from models.speech_to_landmarks.emotion_encoder import EmotionEncoderConfig
from models.speech_to_landmarks.facial_action import FacialAction
from models.speech_to_landmarks.landmark_network import LandmarkNetwork, LandmarkNetworkConfig
from models.speech_to_landmarks.speech_motion import SpeechMotionConfig
from models.training.common.compute import Compute, open_compute
from models.training.common.session import Session
from models.training.stage_one.bases import set_bases, set_head_motion
from models.training.stage_one.emotional_speech import (
    CLEAN,
    DISTURBED,
    EmotionalClip,
    EmotionSampler,
    load_recordings,
    neutral_recording,
    split_speakers,
)
from models.training.stage_one.expressions import Expressions
from models.training.stage_one.lip_windows import LONG, SHORT, LipSampler, silence, silent_clip
from models.training.stage_one.own_faces import read_own_units, with_own_faces
from models.training.stage_one.speech_input import INPUTS, Input, open_speech_input
from models.training.stage_one.speech_landmarks import SpeechClip, load_clips
from models.training.stage_one.trainee import Looks, Trainee
from models.training.stage_one.validation import HeldOut, Score, draw_sheet, score_held_out

CHECKPOINT = "landmark_generator.safetensors"
SPEECH_PATH = ("speech.", "speech_basis", "pose_")
"""Prefixes of the tensors that move the lips and the head; all others belong to emotion."""
VALIDATE_EVERY = 150
"""Steps."""
SILENCES = 32


@dataclass(frozen=True)
class TrainingOptions:
    """The arguments of a run."""

    data: Path
    cache: Path
    out: Path
    minutes: float = math.inf
    steps: float = math.inf
    weights: Path | None = None
    resume: bool = False
    seed: int = 0
    heads: str | None = None
    speech: Input = "whisper"
    without: tuple[str, ...] = ()
    only: str | None = None
    sheet_minutes: float = 10.0
    rate: float = 8e-4
    batch: int = 64
    emotion_batch: int = 16


@dataclass(frozen=True)
class Lessons:
    """What there is to learn from, and what is held out to score it."""

    speaking: list[SpeechClip]
    resting: list[SpeechClip]
    acted: list[EmotionalClip]
    plain: list[EmotionalClip]
    held_out: HeldOut


def main() -> None:
    """Parse the command line and train."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--cache", type=Path, default=Path("runs/stage_one/cache"))
    parser.add_argument("--out", type=Path, required=True)
    length = parser.add_mutually_exclusive_group(required=True)
    length.add_argument("--minutes", type=float, default=TrainingOptions.minutes)
    length.add_argument("--steps", type=int, default=TrainingOptions.steps)
    parser.add_argument("--weights", type=Path, help="trained weights to start from")
    parser.add_argument("--resume", action="store_true")
    parser.add_argument("--seed", type=int, default=TrainingOptions.seed)
    parser.add_argument("--heads", help="set whose head motion is learnt; by default the largest")
    parser.add_argument("--speech", choices=INPUTS, default=TrainingOptions.speech)
    parser.add_argument("--without", nargs="+", choices=["coordination", "takes"], default=[])
    parser.add_argument("--only", choices=["emotion"], help="leave the lips untrained")
    parser.add_argument("--sheet-minutes", type=float, default=TrainingOptions.sheet_minutes)
    parser.add_argument("--batch", type=int, default=TrainingOptions.batch)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--threads", type=int, default=1)
    values = vars(parser.parse_args())
    values["without"] = tuple(values["without"])
    with open_compute(values.pop("device"), values.pop("threads")) as compute:
        train(TrainingOptions(**values), compute)


def train(options: TrainingOptions, compute: Compute) -> None:
    """Train for the given minutes, keeping the best averaged weights."""
    rng = compute.randomness(options.seed)
    lessons = read_lessons(options, rng)
    looks = Looks(Expressions(options.data / "landmarks" / "ict68.npz"), rng)
    trainee = Trainee(
        starting_network(options, lessons.speaking, looks),
        coordination="coordination" not in options.without,
        lips=options.only != "emotion",
    )
    session = _open_session(trainee, options, compute)
    lips = LipSampler(lessons.speaking, lessons.resting, rng)
    emotions = EmotionSampler(lessons.acted, lessons.plain, rng)
    drawn, terms = session.seconds, dict[str, float]()
    while session.progress < 1.0:
        terms = step(session, lips, emotions, looks, options)
        if not compute.leads:
            continue
        if session.step % VALIDATE_EVERY == 0:
            validate(session, lessons.held_out, terms)
        if session.seconds - drawn > 60 * options.sheet_minutes:
            drawn = session.seconds
            draw_sheet(options.out, session.average.network, lessons.held_out)
    if compute.leads:
        finish(session, lessons.held_out, terms)


def read_lessons(options: TrainingOptions, rng: np.random.Generator) -> Lessons:
    """Read the caches, and add silence, in which the mouth rests and there is no emotion."""
    clean = load_clips(options.cache / "clean.pt")
    speaking = [clip for clip in clean if clip.split == "train"]
    for path in sorted(options.cache.glob("joined_*.pt")):
        speaking += load_clips(path)
    acted, heard_out = split_speakers(read_acted(options))
    plain = load_recordings(options.cache / "plain_speech.pt")
    heard_by = open_speech_input(options.speech)
    silences = [silence(rng) for _ in range(SILENCES)]
    plain += [neutral_recording("nobody", waveform, heard_by) for waveform in silences]
    resting = [silent_clip(waveform, heard_by) for waveform in silences]
    unseen = [clip for clip in clean if clip.split != "train"] if options.only is None else []
    return Lessons(speaking, resting, acted, plain, HeldOut(unseen, heard_out))


def read_acted(options: TrainingOptions) -> list[EmotionalClip]:
    """Return the emotional speech, with the face of the same take unless trained without takes.

    Held-out recordings are among it; the disturbed ones are all for training.
    """
    clean = load_recordings(options.cache / CLEAN)
    disturbed = load_recordings(options.cache / DISTURBED)
    units = {} if "takes" in options.without else read_own_units(options.data)
    if not units:
        return clean + disturbed
    recordings = list_recordings(options.data)
    trained_on = [recording for recording in recordings if not recording.held_out]
    basis = FacialAction.load("cpu").basis.sum(0)
    return [
        *with_own_faces(clean, recordings, units, basis),
        *with_own_faces(disturbed, trained_on, units, basis),
    ]


def starting_network(
    options: TrainingOptions, clips: Sequence[SpeechClip], looks: Looks
) -> LandmarkNetwork:
    """Return the initial network: from earlier weights, or with only its bases set."""
    if options.weights:
        state, sizes = load_checkpoint(options.weights)
        network = LandmarkNetwork(LandmarkNetworkConfig.from_sizes(sizes))
        network.load_state_dict(state)
        return network
    width = clips[0].states.shape[1]
    network = LandmarkNetwork(
        LandmarkNetworkConfig(SpeechMotionConfig(width), EmotionEncoderConfig(width))
    )
    set_bases(network, clips, looks)
    heads = options.heads or largest_set(options.data, "train")
    set_head_motion(network, options.data / "landmarks" / f"{heads}_train.npz")
    return network


def _open_session(trainee: Trainee, options: TrainingOptions, compute: Compute) -> Session[Trainee]:
    trainee = trainee.to(compute.device)
    optimizer = torch.optim.AdamW(trainee.parameters(), options.rate, weight_decay=0.02)
    session = Session(trainee, optimizer, options.out, options.minutes, compute, options.steps)
    if options.resume:
        session.resume()
    return session


def step(
    session: Session[Trainee],
    lips: LipSampler,
    emotions: EmotionSampler,
    looks: Looks,
    options: TrainingOptions,
) -> dict[str, float]:
    """Take one step on a batch of lips and a batch of emotions; return the terms of the loss."""
    session.joined.train()
    device = session.compute.device
    long = session.step % 4 == 3
    said = lips.draw(options.batch // 3 if long else options.batch, LONG if long else SHORT)
    acted = emotions.draw(options.emotion_batch)
    terms = session.joined(said.to(device), acted.to(device), looks)
    session.descend(torch.stack(list(terms.values())).sum())
    return {name: float(value.detach()) for name, value in terms.items()}


def validate(session: Session[Trainee], held_out: HeldOut, terms: dict[str, float]) -> None:
    """Score the averaged weights, record the scores, and keep the best so far."""
    score = score_held_out(session.average.network, held_out)
    session.record(terms | score.columns())
    keep_best(session, {"speech": score.correlation, "emotion": score.accuracy})
    session.save()
    for row in score.rows():
        print(f"{session.step} | {row}", flush=True)


def keep_best(session: Session[Trainee], scores: dict[str, float]) -> None:
    """Write each path of the network with its best score: the two share no weights."""
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


def finish(session: Session[Trainee], held_out: HeldOut, terms: dict[str, float]) -> Score:
    """Score the final weights, and write the scores of the weights that are kept."""
    if terms:
        validate(session, held_out, terms)
    kept = LandmarkNetwork(session.network.network.config)
    kept.load_state_dict(load_checkpoint(session.folder / CHECKPOINT)[0])
    score = score_held_out(kept.eval(), held_out)
    table = score.table()
    (session.folder / "validation.md").write_text(
        f"{session.seconds / 60:.1f} min, {session.step} steps; the weights kept:\n\n{table}\n"
    )
    draw_sheet(session.folder, kept, held_out)
    print(table)
    return score


if __name__ == "__main__":
    main()
