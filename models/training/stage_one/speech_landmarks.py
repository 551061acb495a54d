"""Clips of speaking faces for training stage one: encoder states with motion, in sync.

`python -m models.training.stage_one.speech_landmarks --data DIR --out CACHE` prepares them once.
The folder contains `manifest.csv`, the clips and `landmarks/SET_SPLIT.npz`, as described in
docs/training.md.
"""

import argparse
import json
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from media.audio import SAMPLE_RATE, SAMPLES_PER_FRAME
from media.emotions import Emotion
from media.files import written_whole
from models.corpus.audio_lag import LAGS_FILE, measure_lags
from models.corpus.source_clips import SourceClip, fit_length, read_clips, shift
from models.speech_to_landmarks.speech_encoder import SpeechEncoder
from models.training.common.augmentation import change_speed, disturb
from models.training.stage_one.emotional_speech import (
    EmotionalClip,
    neutral_recording,
    save_recordings,
)
from models.training.stage_one.speech_input import INPUTS, Input, SpeechInput, open_speech_input

Array = NDArray[np.float32]

PLAIN_SPEECH = "plain_speech.pt"
GROUP_SECONDS = 8.0
"""Length, without pauses, to which clips are joined before they are encoded."""
PAUSES = (10, 30)
CLOSING, OPENING = 7, 5
"""Video frames of a pause, of a mouth coming to rest, and of a mouth preparing to speak."""


@dataclass(frozen=True)
class SpeechClip:
    """A training clip, in sync.

    Attributes:
        states: `[2T, C]` float16.
        motion: `[T, 79, 2]` float16, of the lower face, for a typical face.
        resting: `[79, 2]` float32, in the normal form.
    """

    name: str
    set: str
    split: str
    person: str
    states: Tensor
    motion: Tensor
    resting: Tensor


def main() -> None:
    """Parse the command line and write the caches."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--variants", type=int, default=3, help="augmented copies of the speech")
    parser.add_argument("--speech", choices=INPUTS, default="whisper")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--workers", type=int, default=1, help="processes that augment speech")
    parser.add_argument("--lips-only", action="store_true", help="leave out plain_speech.pt")
    parser.add_argument(
        "--lags", type=Path, help="lags.json of another cache, instead of new estimates"
    )
    options = parser.parse_args()
    prepare(
        options.data,
        options.out,
        options.variants,
        speech=options.speech,
        known_lags=options.lags,
        device=options.device,
        workers=options.workers,
        lips_only=options.lips_only,
    )


def prepare(
    data: Path,
    out: Path,
    variants: int,
    *,
    speech: Input = "whisper",
    known_lags: Path | None = None,
    device: str = "cpu",
    workers: int = 1,
    lips_only: bool = False,
) -> None:
    """Write lags.json, the clips unchanged and joined in augmented `variants`, and plain speech.

    Each file is written atomically, plain_speech.pt last. `workers` processes share the variants.
    """
    out.mkdir(parents=True, exist_ok=True)
    clips = list(read_clips(data))
    lags = read_or_measure_lags(clips, known_lags)
    (out / LAGS_FILE).write_text(json.dumps(lags, indent=1))
    clips = [shift(clip, lags[clip.name]) for clip in clips]
    train = [clip for clip in clips if clip.split == "train"]
    _write_variants(out, train, variants, speech, device, workers)
    encoder = open_speech_input(speech, device)
    save_clips(out / "clean.pt", encode_alone(clips, encoder))
    if not lips_only:
        plain = [clip for clip in train if clip.emotion in ("", Emotion.NEUTRAL)]
        neutral = neutral_recordings(plain, encoder, np.random.default_rng(0))
        save_recordings(out / PLAIN_SPEECH, neutral)


def _write_variants(
    out: Path, clips: Sequence[SourceClip], variants: int, speech: Input, device: str, workers: int
) -> None:
    write = partial(_write_variant, out, clips, speech, device)
    if workers == 1:
        list(map(write, range(variants)))
        return
    with ProcessPoolExecutor(workers, get_context("spawn")) as pool:
        list(pool.map(write, range(variants)))


def _write_variant(
    out: Path, clips: Sequence[SourceClip], speech: Input, device: str, seed: int
) -> None:
    encoder = open_speech_input(speech, device)
    encoded = encode_joined(clips, encoder, np.random.default_rng(seed))
    save_clips(out / f"joined_{seed}.pt", encoded)


def save_clips(path: Path, clips: Sequence[SpeechClip]) -> None:
    """Write clips as plain tensors and strings."""
    with written_whole(path) as partial:
        torch.save([vars(clip) for clip in clips], partial)


def load_clips(path: Path) -> list[SpeechClip]:
    """Read files written by `save_clips`."""
    return [SpeechClip(**fields) for fields in torch.load(path)]


def read_or_measure_lags(clips: Sequence[SourceClip], known: Path | None) -> dict[str, int]:
    """Return the lag of each clip's sound in encoder states, from a file or estimated."""
    if known is None:
        return measure_lags(clips, SpeechEncoder.load("cpu"))
    lags: dict[str, int] = json.loads(known.read_text())
    return lags


def encode_alone(clips: Sequence[SourceClip], encoder: SpeechInput) -> list[SpeechClip]:
    """Encode each clip separately and unchanged."""
    return [
        _speech_clip(clip, encoder.encode(clip.waveform), clip.aligned.motion) for clip in clips
    ]


def encode_joined(
    clips: Sequence[SourceClip], encoder: SpeechInput, rng: np.random.Generator
) -> list[SpeechClip]:
    """Encode each person's clips joined by pauses, with random speed, level, noise and room.

    This gives clips the context of other speech, and a mouth at rest wherever the voice pauses.
    """
    encoded = []
    for number, group in enumerate(_groups(clips, rng)):
        speed = rng.uniform(0.9, 1.1)
        waveform, motion = join([_play_faster(clip, speed) for clip in group], rng)
        whole = replace(group[0], name=f"{group[0].person}_joined_{number}")
        states = encoder.encode(disturb(waveform, rng))
        encoded.append(_speech_clip(whole, states, motion))
    return encoded


def join(clips: Sequence[SourceClip], rng: np.random.Generator) -> tuple[Array, Array]:
    """Return one waveform and motion of clips, each followed by a pause."""
    sounds: list[Array] = []
    motions: list[Array] = []
    for clip, following in zip(clips, [*clips[1:], None], strict=True):
        pause = int(rng.integers(*PAUSES))
        motion = clip.aligned.motion
        start = np.zeros_like(motion[0]) if following is None else following.aligned.motion[0]
        sounds += [clip.waveform, np.zeros(pause * SAMPLES_PER_FRAME, np.float32)]
        motions += [motion, rest_between(motion[-1], start, pause)]
    return np.concatenate(sounds), np.concatenate(motions)


def rest_between(last: Array, first: Array, frames: int) -> Array:
    """Return motion `[frames, 79, 2]` that eases from one face to rest, and on to another."""
    since, until = np.arange(1, frames + 1), np.arange(frames, 0, -1)
    leave, arrive = _ease(1.0 - since / CLOSING), _ease(1.0 - until / OPENING)
    return leave[:, None, None] * last + arrive[:, None, None] * first


def _ease(part: NDArray[np.float64]) -> Array:
    """Return a smooth step from 0 to 1, clamped outside."""
    part = np.clip(part, 0.0, 1.0)
    return (part * part * (3.0 - 2.0 * part)).astype(np.float32)


def _groups(clips: Sequence[SourceClip], rng: np.random.Generator) -> Iterator[list[SourceClip]]:
    """Yield groups of one person's clips, each of about GROUP_SECONDS, in random order."""
    group: list[SourceClip] = []
    shuffled = [clips[index] for index in rng.permutation(len(clips))]
    for clip in sorted(shuffled, key=lambda clip: (clip.set, clip.person)):
        if group and (_seconds(group) > GROUP_SECONDS or clip.person != group[0].person):
            yield group
            group = []
        group.append(clip)
    if group:
        yield group


def _seconds(clips: Sequence[SourceClip]) -> float:
    return sum(len(clip.waveform) for clip in clips) / SAMPLE_RATE


def neutral_recordings(
    clips: Sequence[SourceClip], encoder: SpeechInput, rng: np.random.Generator
) -> Iterator[EmotionalClip]:
    """Yield speech without acting, a group of one person's clips at a time, as neutral."""
    for group in _groups(clips, rng):
        waveform = np.concatenate([clip.waveform for clip in group])[: 4 * SAMPLE_RATE]
        yield neutral_recording(group[0].person, disturb(waveform, rng), encoder)


def _play_faster(clip: SourceClip, speed: float) -> SourceClip:
    motion = change_speed(clip.aligned.motion, speed)
    waveform = fit_length(change_speed(clip.waveform, speed), len(motion))
    return replace(clip, waveform=waveform, aligned=replace(clip.aligned, motion=motion))


def _speech_clip(clip: SourceClip, states: Tensor, motion: Array) -> SpeechClip:
    return SpeechClip(
        name=clip.name,
        set=clip.set,
        split=clip.split,
        person=clip.person,
        states=states.cpu().half(),
        motion=torch.from_numpy(motion).half(),
        resting=torch.from_numpy(clip.aligned.resting),
    )


if __name__ == "__main__":
    main()
