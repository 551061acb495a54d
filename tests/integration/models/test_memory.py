"""Five minutes of speech must fit into the memory needed for one minute."""

import subprocess
import sys
from pathlib import Path

EXAMPLES = Path(__file__).parents[3] / "examples"

# Not getrusage(): its maximum includes that of the test process, which the child was forked from.
PEAK = """
def peak_mebibytes():
    lines = open("/proc/self/status").read().splitlines()
    return next(int(line.split()[1]) // 1024 for line in lines if line.startswith("VmHWM"))
"""

# Only the renderer is replaced, by grey frames of the same number: its memory is that of one batch,
# and rendering all frames would take minutes. Small frames are encoded sooner.
SCRIPT = """
import sys
from pathlib import Path
import numpy as np
from media.audio import SAMPLE_RATE, read_waveform
from models.options import SynthesisOptions
from models.pipeline import TalkingFacePipeline
from media.picture import read_portrait
from media.video import encode_video

speech, portrait, video, seconds = sys.argv[1:]
pipeline = TalkingFacePipeline.load()
pipeline.translator.render = lambda _, batch: np.full((len(batch), 64, 64, 3), 90, np.uint8)
waveform = np.resize(read_waveform(Path(speech)), int(seconds) * SAMPLE_RATE)
synthesis = pipeline(read_portrait(Path(portrait)), waveform, SynthesisOptions(resolution=256))
encode_video(Path(video), synthesis.frames(), waveform)
print(synthesis.num_frames, peak_mebibytes())
"""


def test_five_minutes_of_speech_stay_under_two_gibibytes(tmp_path: Path) -> None:
    inputs = [str(EXAMPLES / name) for name in ("speech.wav", "portrait.jpg")]
    response = subprocess.run(
        [sys.executable, "-c", PEAK + SCRIPT, *inputs, str(tmp_path / "long.mp4"), "300"],
        check=True,
        capture_output=True,
        text=True,
    )
    frames, mebibytes = map(int, response.stdout.split())
    assert frames == 7500
    assert mebibytes < 2048


COMPOSING = """
import sys
from pathlib import Path
import numpy as np
from PIL import Image
from media.audio import SAMPLE_RATE, read_waveform
from models.options import SynthesisOptions
from models.pipeline import TalkingFacePipeline
from media.picture import read_portrait
from media.video import encode_video

def watched(batches):
    for batch in batches:
        peaks.append(peak_mebibytes())
        yield batch

peaks = []
speech, portrait, video, seconds = sys.argv[1:]
pipeline = TalkingFacePipeline.load()
picture = Image.fromarray(read_portrait(Path(portrait))).resize((1024, 1024))
waveform = np.resize(read_waveform(Path(speech)), int(seconds) * SAMPLE_RATE)
options = SynthesisOptions(compose="full", resolution=256)
synthesis = pipeline(np.asarray(picture), waveform, options)
encode_video(Path(video), watched(synthesis.frames()), waveform)
print(*peaks)
"""


def test_memory_of_a_composed_video_does_not_grow_with_its_length(tmp_path: Path) -> None:
    """Once the encoder's lookahead is full, frames of 3 MiB each come and go."""
    inputs = [str(EXAMPLES / name) for name in ("speech.wav", "portrait.jpg")]
    response = subprocess.run(
        [sys.executable, "-c", PEAK + COMPOSING, *inputs, str(tmp_path / "large.mp4"), "6"],
        check=True,
        capture_output=True,
        text=True,
    )
    peaks = list(map(int, response.stdout.split()))
    assert peaks[-1] - peaks[len(peaks) * 2 // 3] < 50
    assert peaks[-1] < 2048
