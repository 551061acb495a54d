"""A portrait and a speech clip are submitted over HTTP; the result is decoded and measured."""

from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from amigo import ApiProblem, Client, JobView
from deploy.standalone.system import Standalone
from media.audio import num_frames, read_waveform
from media.faces.landmarks import LandmarkDetector
from media.video import read_frames
from models.metrics.definitions import lip_opening
from models.metrics.lip_sync import MIN_OPENING_RANGE, measure_lip_sync
from tests.loopback import loopback
from tests.waiting import PATIENCE, wait_for

MOUTH_BOX = (slice(300, 440), slice(160, 352))
"""Rows and columns of the mouth in a 512x512 face crop."""


@pytest.fixture(scope="module")
def finished(system: Standalone, portrait: Path, longer_speech: Path) -> JobView:
    with Client(system.url) as client:
        job = client.submit(portrait, longer_speech, consent=True)
        return client.wait(job.id, timeout=PATIENCE)


@pytest.fixture(scope="module")
def video(system: Standalone, finished: JobView, tmp_path_factory: pytest.TempPathFactory) -> Path:
    with Client(system.url) as client:
        return client.download_video(finished.id, tmp_path_factory.mktemp("video") / "out.mp4")


@pytest.fixture(scope="module")
def detector() -> Iterator[LandmarkDetector]:
    with LandmarkDetector() as running:
        yield running


def test_the_job_succeeds_and_reports_the_detected_emotion(finished: JobView) -> None:
    assert finished.status == "succeeded", finished.failure
    assert finished.progress == 1.0
    assert finished.emotion is not None
    assert sum(finished.emotion.probabilities.values()) == pytest.approx(1, abs=0.01)
    assert {"generate_landmarks", "prepare_portrait", "render"} <= finished.timings.keys()


def test_the_video_is_h264_and_aac_at_512_pixels_and_25_frames_a_second(video: Path) -> None:
    with av.open(str(video)) as container:
        picture, sound = container.streams.video[0], container.streams.audio[0]
        assert picture.codec_context.name == "h264"
        assert (picture.width, picture.height) == (512, 512)
        assert picture.average_rate == 25
        assert sound.codec_context.name == "aac"


def test_the_video_lasts_as_long_as_the_speech(video: Path, longer_speech: Path) -> None:
    waveform = read_waveform(longer_speech)
    frames = sum(1 for _ in read_frames(video))
    assert abs(frames - num_frames(waveform)) <= 1
    assert abs(len(read_waveform(video)) - len(waveform)) <= 640


def test_the_video_can_start_before_it_is_whole(video: Path) -> None:
    head = video.read_bytes()
    assert 0 < head.find(b"moov") < head.find(b"mdat")


def test_the_mouth_moves_more_than_the_background(video: Path) -> None:
    frames = np.stack(list(read_frames(video))[::4]).astype(np.float32)
    flicker = frames.std(axis=0).mean(axis=-1)
    assert flicker[MOUTH_BOX].mean() > 4 * flicker[:48, :48].mean()


def test_the_lips_of_the_video_follow_the_generated_landmarks(
    client: Client, finished: JobView, video: Path, detector: LandmarkDetector, tmp_path: Path
) -> None:
    with np.load(client.download_landmarks(finished.id, tmp_path / "landmarks.npz")) as file:
        generated = lip_opening(file["landmarks"])
    shown = lip_opening(detector.track(read_frames(video)))
    assert np.corrcoef(shown, generated)[0, 1] > 0.9
    assert measure_lip_sync(video, detector).opening_range > MIN_OPENING_RANGE


def test_the_video_is_served_in_ranges(system: Standalone, finished: JobView, video: Path) -> None:
    response = loopback.get(
        f"{system.url}/v1/jobs/{finished.id}/video", headers={"Range": "bytes=100-199"}
    )
    assert response.status_code == 206
    assert response.content == video.read_bytes()[100:200]


def test_the_whole_portrait_speaks_and_has_a_poster_and_landmarks(
    client: Client, portrait: Path, speech: Path, tmp_path: Path
) -> None:
    job = client.submit(portrait, speech, consent=True, compose="full", resolution=256)
    assert client.wait(job.id, timeout=PATIENCE).status == "succeeded"

    video = client.download_video(job.id, tmp_path / "video.mp4")
    with Image.open(portrait) as picture:
        size = picture.size
    with av.open(str(video)) as container:
        stream = container.streams.video[0]
        assert (stream.width, stream.height) == size
    first = next(read_frames(video)).astype(int)
    with Image.open(client.download_poster(job.id, tmp_path / "poster.jpg")) as poster:
        assert poster.size == size
        assert np.abs(np.asarray(poster) - first).mean() < 4
    with np.load(client.download_landmarks(job.id, tmp_path / "landmarks.npz")) as track:
        assert len(track["landmarks"]) == num_frames(read_waveform(speech))
        assert track["landmarks"].max() > 256


def test_a_picture_without_a_face_fails_the_job_with_no_face(
    client: Client, speech: Path, tmp_path: Path
) -> None:
    picture = tmp_path / "wall.png"
    Image.new("RGB", (512, 512), (180, 170, 160)).save(picture)
    job = client.wait(client.submit(picture, speech, consent=True).id, timeout=PATIENCE)
    assert job.status == "failed"
    assert job.failure is not None
    assert job.failure.code == "no_face"


def test_a_truncated_picture_is_rejected_at_once(
    client: Client, portrait: Path, speech: Path, tmp_path: Path
) -> None:
    picture = tmp_path / "half.jpg"
    picture.write_bytes(portrait.read_bytes()[: portrait.stat().st_size // 2])
    with pytest.raises(ApiProblem) as refusal:
        client.submit(picture, speech, consent=True)
    assert (refusal.value.status, refusal.value.code) == (422, "portrait_unreadable")


def test_a_job_outlives_its_worker(
    system: Standalone, client: Client, portrait: Path, longer_speech: Path
) -> None:
    worker = next(process for process in system.processes if process.program.name == "worker")
    first = worker.child.pid
    job = client.submit(portrait, longer_speech, consent=True, resolution=256)
    wait_for(lambda: client.get(job.id).stage == "rendering")
    worker.child.clean_up()
    ended = client.wait(job.id, timeout=PATIENCE)
    assert ended.status == "succeeded", ended.failure
    assert worker.child.pid != first
