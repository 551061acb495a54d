"""Draw the gallery: portraits in every emotion, a sentence, closed lips that open, hard portraits.

    python -m models.evaluation.gallery --speech FILE --out DIR [--closed PORTRAIT...]
        [--smiling PORTRAIT...] [--grey PORTRAIT...] [--leaning PORTRAIT...] PORTRAIT...

The first portrait also speaks its sentence in three emotions, in moments and in motion. Faces are
rendered at 512 px and scaled down. Only generated frames are shown, never the portraits themselves.
"""

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from media.audio import FRAME_RATE, read_waveform
from media.emotions import EMOTIONS, Emotion
from media.faces.landmarks import LOWER_LIDS, UPPER_LIDS
from media.picture import read_portrait
from models.animation import Animation
from models.corpus.clips import spread
from models.evaluation.pictures import caption
from models.metrics.definitions import lip_opening
from models.options import SynthesisOptions
from models.pipeline import Synthesis, TalkingFacePipeline

Pixels = NDArray[np.uint8]
Points = NDArray[np.float32]

FACE_SIZE = 144
"""Side of a face in the picture of all emotions, px."""
SENTENCE_SIZE, OPENING_SIZE, LEANING_SIZE = 176, 256, 208
SENTENCE = (Emotion.HAPPINESS, Emotion.ANGER, Emotion.SADNESS)
MOMENTS = 8
OPENINGS = {"closed": 0.0, "half open": 0.5, "nine tenths": 0.9, "widest": 1.0}
"""Moments of a clip, by the share of frames whose lips are closer together."""
MOUTH_HALF_WIDTH = 0.62
"""Side of the area around the mouth, in inter-ocular distances."""
LEANS = (-45, -30, -20, 20, 30, 45)
JPEG_QUALITY = 84
MOVING_SIZE, MOVING_SECONDS, MOVING_QUALITY = 256, 4, 60
"""Side of each face of the moving picture, px, its length, and its quality as WebP, 0-100."""
STEADY = SynthesisOptions(pose="still", blink=False)


def main() -> None:
    """Parse the command line and write one picture per part of the gallery."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("portraits", type=read_portrait_at, nargs="+", metavar="PORTRAIT")
    parser.add_argument("--speech", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    for part in ("closed", "smiling", "grey", "leaning"):
        parser.add_argument(f"--{part}", type=read_portrait_at, nargs="+", default=[])
    read = parser.parse_args()
    read.out.mkdir(parents=True, exist_ok=True)
    gallery = Gallery(TalkingFacePipeline.load(), read_waveform(read.speech))
    parts = {
        "emotions": gallery.emotions(read.portraits),
        "sentence": gallery.sentence(read.portraits[0]),
        "openings": gallery.openings(read.closed),
        "smiles": gallery.openings(read.smiling),
        "grey": gallery.emotions([grey(image) for image in read.grey]),
        "leaning": gallery.leaning(read.leaning),
    }
    for name, picture in parts.items():
        if picture is not None:
            picture.save(read.out / f"{name}.jpg", quality=JPEG_QUALITY)
    save_moving(gallery.moving(read.portraits[0]), read.out / "moving.webp")


class Gallery:
    """Renders portraits speaking one sentence."""

    def __init__(self, pipeline: TalkingFacePipeline, waveform: Points) -> None:
        self.pipeline = pipeline
        self.waveform = waveform

    def emotions(self, images: Sequence[Pixels]) -> Image.Image | None:
        """Draw each portrait in each emotion, half-way through opening its lips."""
        if not images:
            return None
        rows = [self.emotion_row(image) for image in images]
        return caption(np.concatenate(rows), [str(emotion) for emotion in EMOTIONS])

    def emotion_row(self, image: Pixels) -> Pixels:
        """Return one portrait in each emotion, side by side."""
        faces = []
        for emotion in EMOTIONS:
            said = self.say(image, replace(STEADY, emotion=emotion))
            opening = lip_opening(said.landmarks)
            moment = int(np.abs(opening - np.median(opening)).argmin())
            faces += scaled(frames_at(said, [moment]), FACE_SIZE)
        return np.concatenate(faces, axis=1)

    def sentence(self, image: Pixels) -> Image.Image:
        """Draw the same moments of the sentence in a few emotions."""
        rows, moments = [], list[int]()
        for emotion in SENTENCE:
            said = self.say(image, SynthesisOptions(emotion))
            moments = spread(range(said.num_frames), MOMENTS)
            rows.append(np.concatenate(scaled(frames_at(said, moments), SENTENCE_SIZE), axis=1))
        return caption(np.concatenate(rows), [f"{t / FRAME_RATE:.2f} s" for t in moments])

    def moving(self, image: Pixels) -> Pixels:
        """Return the beginning of the sentence in the same emotions, side by side, as frames."""
        count = MOVING_SECONDS * FRAME_RATE
        faces = [
            scaled(frames_at(self.say(image, SynthesisOptions(emotion)), range(count)), MOVING_SIZE)
            for emotion in SENTENCE
        ]
        return np.concatenate(faces, axis=2)

    def openings(self, images: Sequence[Pixels]) -> Image.Image | None:
        """Draw each portrait's mouth at the openings of the sentence."""
        if not images:
            return None
        rows = []
        for image in images:
            said = self.say(image, replace(STEADY, emotion=Emotion.ANGER))
            order = np.argsort(lip_opening(said.landmarks))
            moments = [int(order[round(at * (len(order) - 1))]) for at in OPENINGS.values()]
            rows.append(np.concatenate(mouths_at(said, moments), axis=1))
        return caption(np.concatenate(rows), list(OPENINGS))

    def leaning(self, images: Sequence[Pixels]) -> Image.Image | None:
        """Draw each portrait's widest opening and its blink, the picture rotated by `LEANS`."""
        if not images:
            return None
        rows = []
        for image in images:
            turned = [self.say(lean(image, angle), SynthesisOptions(seed=3)) for angle in LEANS]
            for moment in (most_closed_lids, widest_lips):
                faces = [
                    scaled(frames_at(said, [moment(said)]), LEANING_SIZE)[0] for said in turned
                ]
                rows.append(np.concatenate(faces, axis=1))
        return caption(np.concatenate(rows), [f"{angle} degrees" for angle in LEANS])

    def say(self, image: Pixels, options: SynthesisOptions) -> Synthesis:
        """Return a portrait's animation of the sentence."""
        return self.pipeline(image, self.waveform, options)


def save_moving(frames: Pixels, path: Path) -> None:
    """Write frames `[T, H, W, 3]` as a moving picture that repeats without end."""
    first, *others = (Image.fromarray(frame) for frame in frames)
    first.save(
        path,
        save_all=True,
        append_images=others,
        duration=1000 // FRAME_RATE,
        loop=0,
        quality=MOVING_QUALITY,
        method=6,
    )


def frames_at(said: Animation, moments: Sequence[int]) -> Pixels:
    """Render only some moments `[M]` of a video: `[M, H, W, 3]`."""
    part = replace(said, landmarks=said.landmarks[list(moments)])
    return np.concatenate(list(part.frames()))


def mouths_at(said: Animation, moments: Sequence[int]) -> list[Pixels]:
    """Return the square around the mouth at some moments, at the same position in all, enlarged."""
    placed = said.placed_landmarks
    x, y = placed[:, 48:60].mean(axis=(0, 1))
    reach = MOUTH_HALF_WIDTH * float(np.linalg.norm(placed[0, 68] - placed[0, 69]))
    box = float(x) - reach, float(y) - reach, float(x) + reach, float(y) + reach
    size = (OPENING_SIZE, OPENING_SIZE)
    pieces = [Image.fromarray(frame).crop(box) for frame in frames_at(said, moments)]
    return [np.asarray(piece.resize(size, Image.Resampling.BICUBIC)) for piece in pieces]


def most_closed_lids(said: Animation) -> int:
    """Return the frame in the middle of the strongest blink."""
    lids = said.landmarks[:, LOWER_LIDS, 1] - said.landmarks[:, UPPER_LIDS, 1]
    return int(lids.mean(axis=1).argmin())


def widest_lips(said: Animation) -> int:
    """Return the frame with the widest open lips."""
    return int(lip_opening(said.landmarks).argmax())


def scaled(frames: Pixels, size: int) -> list[Pixels]:
    """Return square frames scaled to `size` px."""
    how = Image.Resampling.LANCZOS
    return [np.asarray(Image.fromarray(frame).resize((size, size), how)) for frame in frames]


def read_portrait_at(path: str) -> Pixels:
    """Read the picture named by a command-line argument, RGB `[H, W, 3]`."""
    return read_portrait(Path(path))


def grey(image: Pixels) -> Pixels:
    """Convert a colour picture to grey."""
    return np.asarray(Image.fromarray(image).convert("L").convert("RGB"))


def lean(image: Pixels, angle: float) -> Pixels:
    """Rotate a picture clockwise by an angle in degrees, with white corners."""
    turned = Image.fromarray(image).rotate(
        -angle, Image.Resampling.BICUBIC, expand=True, fillcolor="white"
    )
    return np.asarray(turned)


if __name__ == "__main__":
    main()
