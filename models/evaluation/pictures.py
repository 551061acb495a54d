"""Pictures for the report: strips of faces, openings over time, all emotions."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from media.audio import FRAME_RATE
from media.emotions import EMOTIONS
from models.corpus.clips import spread
from models.evaluation.stage_one import LandmarkScore
from models.landmarks_to_video.visual_translator import VisualTranslator
from models.metrics.definitions import lip_opening
from models.metrics.frame_scores import Pair, sample_sheet, translator_renderer
from models.metrics.openings import OpeningCurve
from models.options import SynthesisOptions
from models.pipeline import TalkingFacePipeline

CAPTION_HEIGHT = 24
STRIP_ROWS, STRIP_FRAMES, CURVES = 6, 8, 6
CURVE_METHODS = ("real frames", "generated", "static portrait")
STRIP_COLUMNS = ("source", "real", "prior", "generated")
MOUTH_COLUMNS = tuple(f"mouth, {name}" for name in STRIP_COLUMNS[1:])


def pair_strip(translator: VisualTranslator, pairs: Sequence[Pair]) -> Image.Image:
    """Draw source, real, prior and generated frame side by side, with enlarged mouths."""
    sheet = sample_sheet(spread(pairs, STRIP_ROWS), translator_renderer(translator))
    return caption(np.asarray(sheet), (*STRIP_COLUMNS, *MOUTH_COLUMNS))


def film_strip(real: NDArray[np.uint8], generated: NDArray[np.uint8]) -> Image.Image:
    """Draw moments of the real `[T, 256, 256, 3]` above the same moments of the generated video."""
    moments = spread(range(min(len(real), len(generated))), STRIP_FRAMES)
    rows = [np.concatenate([video[t] for t in moments], axis=1) for video in (real, generated)]
    seconds = [f"{t / FRAME_RATE:.2f} s, real above" for t in moments]
    return caption(np.concatenate(rows), seconds)


def emotion_grid(
    pipeline: TalkingFacePipeline, portrait: NDArray[np.uint8], waveform: NDArray[np.float32]
) -> Image.Image:
    """Draw one portrait `[H, W, 3]` in each emotion, with closed and widest open lips."""
    rows = []
    for emotion in EMOTIONS:
        synthesis = pipeline(
            portrait, waveform, SynthesisOptions(emotion, pose="still", blink=False)
        )
        opening = lip_opening(synthesis.landmarks)
        moments = synthesis.landmarks[[int(opening.argmin()), int(opening.argmax())]]
        source = synthesis.portrait
        features = pipeline.translator.prepare(source.crop, source.landmarks)
        rows.append(np.concatenate(pipeline.translator.render(features, moments)))
    return caption(np.concatenate(rows, axis=1), [str(emotion) for emotion in EMOTIONS])


def opening_curves(scores: Sequence[LandmarkScore]) -> list[OpeningCurve]:
    """Return the lips' opening, real and generated, of some clips of every set."""
    names = list(dict.fromkeys((score.set, score.clip) for score in scores))
    return [
        OpeningCurve(
            " ".join(name), f"{score.method}, r {score.lips.correlation:.2f}", score.opening
        )
        for name in spread(names, CURVES)
        for score in scores
        if (score.set, score.clip) == name and score.method in CURVE_METHODS
    ]


def caption(picture: NDArray[np.uint8], titles: Sequence[str]) -> Image.Image:
    """Write a title above each of a picture's equally wide columns."""
    height, width = picture.shape[:2]
    captioned = Image.new("RGB", (width, height + CAPTION_HEIGHT), "white")
    captioned.paste(Image.fromarray(picture), (0, CAPTION_HEIGHT))
    draw = ImageDraw.Draw(captioned)
    for column, title in enumerate(titles):
        draw.text((column * width // len(titles) + 6, 6), title, fill="black")
    return captioned
