"""Hostile files behind URLs: a worker handles them like the service handles uploads."""

import gzip
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from jobs.job import Job, JobStatus
from jobs.options import Options
from jobs.queue import JobQueue, create_celery
from jobs.s3.object_store import ObjectStorage
from jobs.s3.paths import inputs_prefix
from jobs.settings import Settings
from jobs.valkey.job_store import JobStore
from tests.processes import Running, running
from tests.security.bait import Listener
from tests.security.footprint import measured
from tests.security.hostile import ACCEPTED, Hostile, hostile
from tests.security.pictures import PICTURES, picture
from tests.security.recordings import RECORDINGS
from tests.security.target import MOST_MEMORY, environment
from tests.servers import LocalServer, content, serving
from tests.service_examples import portrait, speech
from tests.waiting import wait_for

TRIED = {
    *("png_that_claims_2147483647x2147483647", "png_of_50_million_clear_pixels"),
    *("png_zTXt_bomb", "portrait_as_svg_with_an_external_entity", "jpeg_and_zip"),
    *(
        "audio_as_m3u8",
        "mp4_with_its_sound_at_a_alis",
        "id3_that_inflates",
        "flac_of_twenty_minutes",
    ),
    *("mp4_of_5000_tracks", "wav_all_nan", "zip_bomb_as_audio", "wav_and_mp3"),
}
SQUEEZED = hostile(
    "picture_that_its_server_squeezes", "portrait_unreadable", gzip.compress, picture()
)
FILES = {file.name: file for file in (*PICTURES, *RECORDINGS, SQUEEZED) if file.name in TRIED}
FILES[SQUEEZED.name] = SQUEEZED


@pytest.fixture
def worker(settings: Settings, tmp_path: Path) -> Iterator[Running]:
    """A worker that follows URLs on this machine, and renders grey frames."""
    given = {
        **environment(settings, tmp_path),
        "AMIGO_LOCAL_URLS": "true",
        "AMIGO_RUN_DIRECTORY": str(tmp_path / "run"),
        "AMIGO_METRICS_PORT": "0",
        "AMIGO_PIPELINE": "tests.integration.workers.pipelines:GreyPipeline",
        "AMIGO_DEVICE": "cpu",
    }
    with running("workers.synthesis", given, tmp_path / "worker.log") as worker:
        worker.wait_for_log("The pipeline is loaded")
        yield worker


@pytest.fixture
def elsewhere() -> Iterator[LocalServer]:
    """A server with the hostile files, and valid ones."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        name = handler.path.strip("/")
        good = {"portrait": portrait, "audio": speech}
        body = FILES[name].build() if name in FILES else good[name]()
        encoding = "gzip" if name == SQUEEZED.name else "identity"
        content(body, Content_Encoding=encoding)(handler)

    with serving(answer) as server:
        yield server


def test_hostile_files_from_urls_fail_their_jobs_and_do_no_harm(
    worker: Running, elsewhere: LocalServer, settings: Settings, listener: Listener, tmp_path: Path
) -> None:
    store, storage = JobStore.connect(settings), ObjectStorage.connect(settings)
    queue = JobQueue(create_celery(settings))
    with measured(worker.process.pid) as peak:
        jobs = {name: _post(file, elsewhere.url, store, queue) for name, file in FILES.items()}
        ended = {name: _wait_final(store, job_id) for name, job_id in jobs.items()}
    assert {name: _outcome(job) for name, job in ended.items()} == {
        name: file.expected[0] for name, file in FILES.items()
    }
    assert len(FILES) == len(TRIED) + 1
    assert {job.attempt for job in ended.values()} == {1}, worker.log
    assert listener.heard == []
    assert peak.bytes < MOST_MEMORY
    wait_for(lambda: not any(_inputs(storage, job_id) for job_id in jobs.values()))
    assert not list((tmp_path / "run" / "scratch").iterdir())


def _post(file: Hostile, url: str, store: JobStore, queue: JobQueue) -> str:
    is_portrait = file in (*PICTURES, SQUEEZED)
    places = ("portrait", "audio")
    names = (file.name, "audio") if is_portrait else ("portrait", file.name)
    urls = {f"{place}_url": f"{url}/{name}" for place, name in zip(places, names, strict=True)}
    job = Job.create(Options(consent=True), **urls)
    store.accept(job)
    queue.dispatch(job.id, job.priority)
    store.mark_dispatched(job.id)
    return job.id


def _inputs(storage: ObjectStorage, job_id: str) -> list[str]:
    return [stored.key for stored in storage.objects(inputs_prefix(job_id))]


def _wait_final(store: JobStore, job_id: str) -> Job:
    wait_for(lambda: store.get(job_id).status.is_final)
    return store.get(job_id)


def _outcome(job: Job) -> str:
    if job.status is JobStatus.SUCCEEDED:
        return ACCEPTED
    assert job.failure
    return job.failure.code
