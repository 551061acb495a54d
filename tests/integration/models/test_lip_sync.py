from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from media.audio import SAMPLE_RATE, read_waveform
from media.faces.landmarks import LandmarkDetector
from media.faces.portrait import crop_portrait
from media.picture import read_portrait
from media.video import encode_video
from models.metrics.lip_sync import measure_lip_sync, speech_envelope

EXAMPLES = Path(__file__).parents[3] / "examples"
SECONDS = 4


def puppet(face: NDArray[np.uint8], lips: int, chin: int, drop: float) -> NDArray[np.uint8]:
    """Open a mouth crudely: what is below the lips moves down, the gap is dark."""
    shift = round(drop)
    frame = face.copy()
    frame[lips + shift : chin + shift] = face[lips:chin]
    frame[lips : lips + shift, 95:165] = (60, 20, 20)
    return frame


def test_a_moving_mouth_is_distinguished_from_a_still_one(tmp_path: Path) -> None:
    speech = read_waveform(EXAMPLES / "speech.wav")[: SECONDS * SAMPLE_RATE]
    loudness = speech_envelope(speech)
    loudness = (loudness - loudness.min()) / np.ptp(loudness)
    with LandmarkDetector() as detector:
        portrait = crop_portrait(read_portrait(EXAMPLES / "portrait.jpg"), detector)
        lips, chin = portrait.landmarks[62, 1] + 6, portrait.landmarks[8, 1]
        drops = 14 * loudness
        talking = [puppet(portrait.crop, round(lips), round(chin), drop)[None] for drop in drops]
        encode_video(tmp_path / "talking.mp4", talking, speech)
        encode_video(tmp_path / "still.mp4", [portrait.crop[None]] * len(talking), speech)
        measured = measure_lip_sync(tmp_path / "talking.mp4", detector)
        still = measure_lip_sync(tmp_path / "still.mp4", detector)
    assert measured.in_sync
    assert abs(measured.lag) <= 1
    assert not still.in_sync
