import csv
from functools import partial
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from media.audio import SAMPLE_RATE, SAMPLES_PER_FRAME, read_waveform
from media.emotions import Emotion
from media.faces.landmarks import LandmarkDetector, interocular
from media.picture import read_portrait
from media.video import encode_video
from models.corpus.clips import read_clip, read_landmarks
from models.corpus.recordings import list_recordings
from models.corpus.source_clips import read_clips
from models.metrics.lip_sync import speech_envelope
from models.training.__main__ import Recipe
from models.training.preparation import prepare as preparation
from models.training.preparation.corpora.mead import read_mead
from models.training.preparation.corpora.takes import Corpus, Take
from models.training.preparation.lip_lag import LAGS, correlations
from models.training.stage_two.face_frames import FRAMES_PER_CLIP, open_face_frames
from models.training.stage_two.face_pairs import PairSampler
from tests.integration.models.tiny_data import train_quickly
from tests.media import recording
from tests.unit.models.training.tiny_speech import made_up_expressions

EXAMPLES = Path(__file__).parents[3] / "examples"
SECONDS = 2.4
LIPS_TRAIL = 3
"""Frames in every take of the held-out speaker."""
AAC_DELAY = 1024
"""Samples of silence added by the encoder at the start."""
TRAINED, HELD_OUT = "M003", "M026"
SAID_IN_TRAINING, SAID_IN_VALIDATION = "001", "004"


@pytest.fixture(scope="module")
def mead(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two valid takes, one that only half belongs to validation, and one without a face."""
    root = tmp_path_factory.mktemp("mead")
    speech = read_waveform(EXAMPLES / "speech.wav")[: round(SECONDS * SAMPLE_RATE)]
    early = speech[LIPS_TRAIL * SAMPLES_PER_FRAME :]
    with LandmarkDetector() as detector:
        puppet = Puppet(detector)
    talking = [puppet.talk(level) for level in loudness(speech)]
    grey = [np.full_like(talking[0], 128)] * len(talking)
    add_take(root, TRAINED, "happy", SAID_IN_TRAINING, talking, speech)
    add_take(root, TRAINED, "angry", SAID_IN_TRAINING, grey, speech)
    add_take(root, TRAINED, "happy", SAID_IN_VALIDATION, grey, speech)
    add_take(root, HELD_OUT, "sad", SAID_IN_VALIDATION, talking, early)
    return root


@pytest.fixture(scope="module")
def data(mead: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("data")
    preparation.prepare(read_mead(mead), out, workers=2)
    return out


class Puppet:
    """The example's face with a mouth that opens crudely: what is below the lips moves down."""

    def __init__(self, detector: LandmarkDetector) -> None:
        self.portrait = read_portrait(EXAMPLES / "portrait.jpg")
        (face,) = detector.detect(self.portrait)
        self.lips, self.chin = round(face[62, 1] + 4), round(face[8, 1])
        self.left, self.right = round(face[49, 0]), round(face[53, 0])
        self.reach = 0.23 * float(interocular(face))

    def talk(self, loudness: float) -> NDArray[np.uint8]:
        drop = round(self.reach * loudness)
        frame = self.portrait.copy()
        frame[self.lips + drop : self.chin + drop] = self.portrait[self.lips : self.chin]
        frame[self.lips : self.lips + drop, self.left : self.right] = (60, 20, 20)
        return frame


def loudness(speech: NDArray[np.float32]) -> NDArray[np.float32]:
    envelope = speech_envelope(speech)
    return np.asarray((envelope - envelope.min()) / np.ptp(envelope), np.float32)


def add_take(
    root: Path,
    speaker: str,
    emotion: str,
    number: str,
    frames: list[NDArray[np.uint8]],
    speech: NDArray[np.float32],
) -> None:
    video = root / speaker / "video" / "front" / emotion / "level_3" / f"{number}.mp4"
    sound = root / speaker / "audio" / emotion / "level_3" / f"{number}.m4a"
    video.parent.mkdir(parents=True, exist_ok=True)
    sound.parent.mkdir(parents=True, exist_ok=True)
    encode_video(video, [np.stack(frames)], np.zeros(0, np.float32))
    sound.write_bytes(recording(speech[AAC_DELAY:], "mp4", "aac"))


def read_table(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_the_clips_match_the_documented_layout(data: Path) -> None:
    clip = data / "clips" / "mead" / "train" / "M003_happy_3_001.mp4"
    with av.open(str(clip)) as container:
        video, sound = container.streams.video[0], container.streams.audio[0]
        assert video.codec_context.name == "h264"
        assert video.average_rate == 25
        assert (video.width, video.height) == (256, 256)
        assert (sound.codec_context.name, sound.rate, sound.layout.name) == ("aac", 16_000, "mono")
    landmarks = np.load(data / "landmarks" / "mead_train.npz")["M003_happy_3_001"]
    assert landmarks.dtype == np.int16
    assert np.median(interocular(landmarks / 64)) == pytest.approx(256 / 4.1, rel=0.01)


def test_training_reads_frames_and_landmarks(data: Path) -> None:
    for split, name in (("train", "M003_happy_3_001"), ("val", "M026_sad_3_004")):
        landmarks = read_landmarks(data, "mead", split)
        assert list(landmarks) == [name]
        frames = read_clip(data / "clips" / "mead" / split / f"{name}.mp4")
        assert frames.shape == (len(landmarks[name]), 256, 256, 3)


def test_training_draws_pairs_of_frames(data: Path, tmp_path: Path) -> None:
    faces = open_face_frames(data, tmp_path / "cache")
    assert faces.names == ("mead", "stills")
    assert len(faces) == FRAMES_PER_CLIP["mead"]
    batch = PairSampler(faces, np.random.default_rng(0)).whole_pairs(3)
    assert batch.portraits.shape == (3, 3, 256, 256)
    assert (batch.source != batch.target).any()


def test_training_reads_speech_beside_motion(data: Path) -> None:
    clips = {clip.name: clip for clip in read_clips(data)}
    assert {name: clip.person for name, clip in clips.items()} == {
        "M003_happy_3_001": "mead_M003",
        "M026_sad_3_004": "mead_M026",
    }
    clip = clips["M003_happy_3_001"]
    assert clip.emotion == Emotion.HAPPINESS
    assert len(clip.waveform) == SAMPLES_PER_FRAME * len(clip.aligned.motion)


def test_training_reads_emotional_speech(data: Path) -> None:
    said = {recording.path.stem: recording for recording in list_recordings(data)}
    assert said["M026_sad_3_004"].emotion == Emotion.SADNESS
    assert said["M026_sad_3_004"].strength == 1.0
    speech = read_waveform(said["M003_happy_3_001"].path)
    assert len(speech) == pytest.approx(SECONDS * SAMPLE_RATE, abs=0.1 * SAMPLE_RATE)


def test_prepared_clips_need_no_further_synchronization(data: Path) -> None:
    assert all(clip.in_step for clip in read_clips(data))


def test_both_stages_train_on_it_alone(data: Path, tmp_path: Path) -> None:
    made_up_expressions(data)
    (data / "face.npz").rename(data / "landmarks" / "ict68.npz")
    train_quickly(Recipe(data, tmp_path, minutes_landmarks=0.002, minutes_video=0.002))
    for stage in ("landmark_generator", "visual_translator"):
        assert "mead" in (tmp_path / stage / "validation.md").read_text()


@pytest.mark.parametrize(
    ("split", "name", "lost"),
    [("train", "M003_happy_3_001", 0), ("val", "M026_sad_3_004", LIPS_TRAIL)],
)
def test_lips_and_sound_are_in_step(data: Path, split: str, name: str, lost: int) -> None:
    landmarks = read_landmarks(data, "mead", split)[name]
    curve = correlations(landmarks, read_waveform(data / "clips" / "mead" / split / f"{name}.mp4"))
    assert abs(LAGS[int(np.argmax(curve))]) <= 1
    assert len(landmarks) == round(SECONDS * 25) - lost


def test_rejected_takes_are_reported_with_the_reason(data: Path) -> None:
    rows = {row["take"]: row for row in read_table(data / "preparation" / "mead" / "report.csv")}
    assert rows["M003_happy_3_001"]["reason"] == ""
    assert rows["M003_angry_3_001"]["reason"] == "no face"
    assert "held-out" in rows["M003_happy_3_004"]["reason"]
    assert rows["M026_sad_3_004"]["lag"] == str(LIPS_TRAIL)
    assert {Path(row["file"]).stem for row in read_table(data / "manifest.csv")} == {
        "M003_happy_3_001",
        "M026_sad_3_004",
    }
    assert "2 of 4 takes kept" in (data / "preparation" / "mead" / "report.md").read_text()


def test_an_interrupted_run_does_only_what_is_missing(
    mead: Path, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (data / "clips" / "mead" / "val" / "M026_sad_3_004.mp4").unlink()
    (data / "preparation" / "mead" / "M003_angry_3_001.json").unlink()
    done: list[tuple[str, str]] = []

    def here(verb: str, jobs: list[partial[None]], workers: int) -> None:
        for job in jobs:
            done.append((verb, job.args[0].name))
            job()

    monkeypatch.setattr(preparation, "_in_parallel", here)
    preparation.prepare(read_mead(mead), data, workers=1)
    assert done == [("track", "M003_angry_3_001"), ("pack", "M026_sad_3_004")]
    assert (data / "clips" / "mead" / "val" / "M026_sad_3_004.mp4").exists()


def test_an_unexpected_error_names_its_take(tmp_path: Path) -> None:
    gone = tmp_path / "gone.mp4"
    take = Take("a_name", "p", None, gone, gone)
    with pytest.raises(FileNotFoundError) as error:
        preparation.prepare(Corpus("talks", "", "", (take,)), tmp_path / "data", workers=1)
    assert "a_name" in error.value.__notes__[-1]
