"""Draw the gallery: many portraits in every emotion, and the mouth over one sentence.

    python -m models.evaluation.gallery --speech FILE --out DIR PORTRAIT...

Only generated frames are drawn, never the portraits themselves.
"""

import argparse
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from models.audio import FRAME_RATE, read_waveform
from models.emotions import EMOTIONS, Emotion
from models.evaluation.held_out import spread
from models.evaluation.metrics import lip_opening
from models.evaluation.pictures import caption
from models.options import SynthesisOptions
from models.pipeline import Synthesis, TalkingFacePipeline
from models.portrait import read_portrait

FACE_SIZE = 160
"""Side of a face in the picture of all emotions, px."""
MOUTH_MOMENTS = 16
MOUTH_ROWS, MOUTH_COLUMNS = slice(132, 228), slice(64, 192)
JPEG_QUALITY = 88


def main() -> None:
    """Read the command line and write emotions.jpg and mouths.jpg."""
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
    strip = mouth_strip(pipeline(images[0], waveform))
    strip.save(read.out / "mouths.jpg", quality=JPEG_QUALITY)


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
    return np.asarray(
        Image.fromarray(frame).resize((FACE_SIZE, FACE_SIZE), Image.Resampling.LANCZOS)
    )


def mouth_strip(synthesis: Synthesis) -> Image.Image:
    """Draw the mouth at moments spread over the clip, in two rows, each with its time."""
    frames = np.concatenate(list(synthesis.frames()))
    moments = spread(range(len(frames)), MOUTH_MOMENTS)
    half = MOUTH_MOMENTS // 2
    rows = [
        caption(
            np.concatenate([frames[t][MOUTH_ROWS, MOUTH_COLUMNS] for t in row], axis=1),
            [f"{t / FRAME_RATE:.2f} s" for t in row],
        )
        for row in (moments[:half], moments[half:])
    ]
    return Image.fromarray(np.concatenate([np.asarray(row) for row in rows]))


if __name__ == "__main__":
    main()
