"""Five minutes of speech must fit into the memory that a minute needs."""

import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[3] / "examples"

# The renderer alone is replaced, by grey frames as many and as large: its memory is that of one
# batch, and rendering them all would take minutes.
SCRIPT = """
import resource, sys
from pathlib import Path
import numpy as np
from models.audio import SAMPLE_RATE, read_waveform
from models.pipeline import TalkingFacePipeline
from models.portrait import read_portrait
from models.video import encode_video

speech, portrait, video, seconds = sys.argv[1:]
pipeline = TalkingFacePipeline.load()
pipeline.translator.render = lambda _, batch: np.full((len(batch), 256, 256, 3), 90, np.uint8)
waveform = np.resize(read_waveform(Path(speech)), int(seconds) * SAMPLE_RATE)
synthesis = pipeline(read_portrait(Path(portrait)), waveform)
encode_video(Path(video), synthesis.frames(), waveform)
print(synthesis.num_frames, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
"""


@pytest.mark.timeout(600)
def test_five_minutes_of_speech_stay_under_two_gibibytes(tmp_path: Path) -> None:
    inputs = [str(EXAMPLES / name) for name in ("speech.wav", "portrait.jpg")]
    answer = subprocess.run(
        [sys.executable, "-c", SCRIPT, *inputs, str(tmp_path / "long.mp4"), "300"],
        check=True,
        capture_output=True,
        text=True,
    )
    frames, mebibytes = map(int, answer.stdout.split())
    assert frames == 7500
    assert mebibytes < 2048
