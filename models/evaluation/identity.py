"""Identity: CSIM of generated videos, next to real frames of the same person.

Self-driven: the portrait speaks its own clip's speech. Cross-driven: it speaks with voices from
other sets, which would reveal a leak of the driver's identity.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from media.video import read_frames
from models.corpus.clips import spread
from models.evaluation.held_out import HeldOutClip
from models.evaluation.report import Row, Table
from models.evaluation.scoring_networks import Network, embed
from models.evaluation.whole_path import CLIP_SIZED, video_path
from models.metrics.definitions import identity_similarity
from models.pipeline import TalkingFacePipeline

Frames = NDArray[np.uint8]

REAL, SELF, CROSS, OTHER = "real frames", "self-driven", "cross-driven", "another person"
LOOKS = 4
"""Number of frames per video whose face is embedded, evenly spread over all but the first."""
CROSS_CLIPS = 12
"""Number of clips per set that are also driven by another person's speech."""


@dataclass(frozen=True)
class IdentityScore:
    """Mean cosine and mean Euclidean distance of a video's embeddings from its portrait's."""

    set: str
    clip: str
    method: str
    cosine: float
    distance: float


def score_identity(
    pipeline: TalkingFacePipeline, clips: Sequence[HeldOutClip], judge: Network, folder: Path
) -> list[IdentityScore]:
    """Score the videos in the folder, their real clips, and some cross-driven ones."""
    scores = []
    crossed = {clip.path for name in _sets(clips) for clip in spread(_of(clips, name), CROSS_CLIPS)}
    for clip in tqdm(list(clips), desc="identity"):
        real, other = clip.pictures(), _other(clip, clips)
        videos = {REAL: real, SELF: np.stack(list(read_frames(video_path(folder, clip))))}
        if other is not None and other.waveform is not None and clip.path in crossed:
            videos[OTHER] = other.pictures()
            videos[CROSS] = np.concatenate(
                list(pipeline(real[0], other.waveform, CLIP_SIZED).frames())
            )
        scores += _compare(clip, real[0], videos, judge)
    return scores


def _compare(
    clip: HeldOutClip, portrait: Frames, videos: dict[str, Frames], judge: Network
) -> list[IdentityScore]:
    looks = [video[spread(range(1, len(video)), LOOKS)] for video in videos.values()]
    embeddings = embed(judge, np.concatenate([portrait[None], *looks]))
    whose, *rest = np.split(embeddings, np.cumsum([1, *map(len, looks[:-1])]))
    return [
        IdentityScore(
            set=clip.set,
            clip=clip.name,
            method=method,
            cosine=identity_similarity(whose[0], seen),
            distance=float(np.linalg.norm(seen - whose[0], axis=1).mean()),
        )
        for method, seen in zip(videos, rest, strict=True)
    ]


def _other(clip: HeldOutClip, clips: Sequence[HeldOutClip]) -> HeldOutClip | None:
    """Return a clip of another set, and so of another person, at the same position in its set."""
    others = [other for other in clips if other.set != clip.set]
    own = [each.name for each in _of(clips, clip.set)]
    return others[own.index(clip.name) * len(others) // len(own)] if others else None


def _of(clips: Sequence[HeldOutClip], name: str) -> list[HeldOutClip]:
    return [clip for clip in clips if clip.set == name]


def _sets(clips: Sequence[HeldOutClip]) -> list[str]:
    return list(dict.fromkeys(clip.set for clip in clips))


def identity_table(scores: Sequence[IdentityScore]) -> Table:
    """Average the scores by set and method, and divide them by those of real frames."""
    cosines = {(score.set, score.clip): score.cosine for score in scores if score.method == REAL}
    rows: list[Row] = []
    for name in dict.fromkeys(score.set for score in scores):
        for method in (REAL, SELF, CROSS, OTHER):
            group = [score for score in scores if (score.set, score.method) == (name, method)]
            if group:
                mean = float(np.mean([score.cosine for score in group]))
                real = float(np.mean([cosines[score.set, score.clip] for score in group]))
                distance = float(np.mean([score.distance for score in group]))
                rows.append(_row(name, method, len(group), mean, mean / real, distance))
    note = (
        f"Mean over {LOOKS} frames a video. CSIM: cosine of a frame's embedding to the portrait's; "
        "/ real: over that of real frames of the same clips. Cross-driven by the speech of another "
        "set's voice; another person: that voice's own face."
    )
    return Table("Identity", note, rows or [_row("", "", 0, None, None, None)])


def _row(
    name: str,
    method: str,
    clips: int,
    cosine: float | None,
    ratio: float | None,
    distance: float | None,
) -> Row:
    return {
        "set": name,
        "method": method,
        "clips": clips,
        "CSIM": cosine,
        "CSIM / real": ratio,
        "distance": distance,
    }
