"""Draw the gallery: portraits in every emotion, and the first of them saying its sentence.

    python -m models.evaluation.gallery --speech FILE --out DIR PORTRAIT...

Only generated frames are drawn, never the portraits themselves.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from media.audio import FRAME_RATE, read_waveform
from media.emotions import EMOTIONS, Emotion
from media.picture import read_portrait
from models.corpus.clips import spread
from models.evaluation.pictures import caption
from models.metrics.definitions import lip_opening
from models.options import SynthesisOptions
from models.pipeline import TalkingFacePipeline

FACE_SIZE = 160
"""Side of a face in the picture of all emotions, px."""
MOUTH_MOMENTS = 16
MOUTH_ROWS, MOUTH_COLUMNS = slice(132, 228), slice(64, 192)
JPEG_QUALITY = 88


def main() -> None:
    """Read the command line and write emotions.jpg, moments.jpg and mouths.jpg."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("portraits", type=Path, nargs="+", metavar="PORTRAIT")
    parser.add_argument("--speech", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    read = parser.parse_args()
    read.out.mkdir(parents=True, exist_ok=True)
    pipeline = TalkingFacePipeline.load()
    waveform = read_waveform(read.speech)
    images = [read_portrait(path) for path in read.portraits]
    rows = [emotion_row(pipeline, image, waveform) for image in images]
    whole = caption(np.concatenate(rows), [str(emotion) for emotion in EMOTIONS])
    whole.save(read.out / "emotions.jpg", quality=JPEG_QUALITY)
    frames = np.concatenate(list(pipeline(images[0], waveform).frames()))
    face_strip(frames).save(read.out / "moments.jpg", quality=JPEG_QUALITY)
    mouth_strip(frames).save(read.out / "mouths.jpg", quality=JPEG_QUALITY)


def emotion_row(
    pipeline: TalkingFacePipeline, image: NDArray[np.uint8], waveform: NDArray[np.float32]
) -> NDArray[np.uint8]:
    """Return one portrait in each emotion side by side, each half-way through opening its lips."""
    return np.concatenate([_shown(pipeline, image, waveform, e) for e in EMOTIONS], axis=1)


def _shown(
    pipeline: TalkingFacePipeline,
    image: NDArray[np.uint8],
    waveform: NDArray[np.float32],
    emotion: Emotion,
) -> NDArray[np.uint8]:
    synthesis = pipeline(image, waveform, SynthesisOptions(emotion, pose="still", blink=False))
    opening = lip_opening(synthesis.landmarks)
    moment = int(np.abs(opening - np.median(opening)).argmin())
    portrait = synthesis.portrait
    features = pipeline.translator.prepare(portrait.crop, portrait.landmarks)
    frame = pipeline.translator.render(features, synthesis.landmarks[moment : moment + 1])[0]
    return _small(frame)


def face_strip(frames: NDArray[np.uint8]) -> Image.Image:
    """Draw as many moments of a video `[T, 256, 256, 3]` side by side as there are emotions."""
    moments = spread(range(len(frames)), len(EMOTIONS))
    return caption(np.concatenate([_small(frames[t]) for t in moments], axis=1), _times(moments))


def mouth_strip(frames: NDArray[np.uint8]) -> Image.Image:
    """Draw the mouth at moments spread over a video `[T, 256, 256, 3]`, in two rows."""
    moments = spread(range(len(frames)), MOUTH_MOMENTS)
    half = MOUTH_MOMENTS // 2
    rows = [
        caption(
            np.concatenate([frames[t][MOUTH_ROWS, MOUTH_COLUMNS] for t in row], axis=1), _times(row)
        )
        for row in (moments[:half], moments[half:])
    ]
    return Image.fromarray(np.concatenate([np.asarray(row) for row in rows]))


def _small(frame: NDArray[np.uint8]) -> NDArray[np.uint8]:
    size = (FACE_SIZE, FACE_SIZE)
    return np.asarray(Image.fromarray(frame).resize(size, Image.Resampling.LANCZOS))


def _times(moments: Sequence[int]) -> list[str]:
    return [f"{t / FRAME_RATE:.2f} s" for t in moments]


if __name__ == "__main__":
    main()
