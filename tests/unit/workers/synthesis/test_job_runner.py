import logging
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Self

import av
import numpy as np
import pytest
from PIL import Image
from prometheus_client import REGISTRY

from jobs.job import MAX_ATTEMPTS, Job, JobStatus, Stage
from jobs.options import Options
from jobs.s3.paths import (
    audio_key,
    landmarks_key,
    portrait_key,
    poster_key,
    request_key,
    stream_prefix,
    video_key,
)
from media.emotions import Emotion
from media.errors import NoFace
from media.hls import END, listed_segments
from media.provenance import Provenance
from models.manifest import weights_digest
from models.options import SynthesisOptions
from tests.fakes.decoder import DirectDecoder
from tests.fakes.pipeline import FakePipeline
from tests.fakes.stores import FakeQueue, FakeStorage, FakeStore
from tests.media import babble, recording
from tests.service_examples import animation
from tests.signing_authority import SigningAuthority
from tests.waiting import wait_for
from workers.safe_http import Outbound
from workers.synthesis.attempt import Attempt
from workers.synthesis.inputs import Inputs
from workers.synthesis.job_runner import INTERNAL_ERROR, MARKED, JobRunner, synthesis_options
from workers.synthesis.metrics import Outcome
from workers.synthesis.retry_policy import RetryPolicy
from workers.synthesis.run_directory import RunDirectory
from workers.synthesis.settings import WorkerSettings
from workers.synthesis.signing import JPEG, MP4, ManifestSigner, SigningFailed, TimestampUnavailable

FOR_EVER = 1_000_000


@dataclass
class Floor:
    """A worker's environment, with one job queued in it."""

    store: FakeStore
    storage: FakeStorage
    queue: FakeQueue
    pipeline: FakePipeline
    job_runner: JobRunner
    job_id: str

    @property
    def job(self) -> Job:
        return self.store.jobs[self.job_id]

    @property
    def objects(self) -> set[str]:
        return set(self.storage.contents)

    def streamed(self, attempt: int = 1) -> list[str]:
        """Return the names of an attempt's segments and playlists."""
        prefix = stream_prefix(self.job_id, attempt)
        found = [key for key in self.objects if key.startswith(prefix)]
        return sorted(key.removeprefix(prefix) for key in found)

    @property
    def inputs(self) -> set[str]:
        return {portrait_key(self.job_id), audio_key(self.job_id), request_key(self.job_id)}

    def run(self) -> Outcome:
        return self.job_runner.run(self.job_id)

    def use_up_attempts_but_one(self) -> None:
        for attempt in range(1, MAX_ATTEMPTS):
            self.store.claim(self.job_id)
            self.store.requeue(self.job_id, attempt)


@pytest.fixture
def floor(tmp_path: Path) -> Iterator[Floor]:
    settings = WorkerSettings(run_directory=tmp_path / "run")
    directory = RunDirectory(settings.run_directory)
    store, storage, queue, pipeline = FakeStore(), FakeStorage(), FakeQueue(), FakePipeline()
    retries = RetryPolicy(60, sleep=lambda _: None)
    job_runner = JobRunner(
        store=store,
        storage=storage,
        inputs=Inputs(storage, Outbound(settings.url_rules), retries, settings),
        queue=queue,
        decoder=DirectDecoder(),
        pipeline=pipeline,
        retries=retries,
        directory=directory,
        settings=settings,
    )
    job = Job.create(
        Options(
            consent=True,
            emotion="anger",
            intensity=1.5,
            compose="full",
            eyes="as_is",
            face="2",
            resolution=256,
            seed=7,
        )
    )
    storage.put(portrait_key(job.id), picture(), "image/png")
    storage.put(audio_key(job.id), speech(), "audio/wav")
    storage.put(request_key(job.id), job.model_dump_json().encode(), "application/json")
    store.accept(job)
    with directory.taken():
        yield Floor(store, storage, queue, pipeline, job_runner, job.id)


@cache
def speech() -> bytes:
    return recording(babble(2), "wav", "pcm_s16le")


@cache
def picture() -> bytes:
    file = BytesIO()
    Image.effect_noise((256, 256), 60).convert("RGB").save(file, "PNG")
    return file.getvalue()


def metric(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


def test_a_successful_job_has_a_result(floor: Floor) -> None:
    assert floor.run() is Outcome.SUCCEEDED

    assert floor.job.status is JobStatus.SUCCEEDED
    assert floor.job.notices == ("face_far_from_camera",)
    result = floor.job.result
    assert result is not None
    assert result.video_key == video_key(floor.job_id, 1)
    assert result.poster_key == poster_key(floor.job_id, 1)
    assert result.landmarks_key == landmarks_key(floor.job_id, 1)
    assert (result.width, result.height) == (64, 64)
    assert (result.num_frames, result.duration) == (50, 2.0)
    assert result.emotion.emotion == "happiness"
    assert result.timings == {"render": 1.5}


def test_only_the_results_of_the_attempt_are_kept(floor: Floor) -> None:
    floor.run()

    keys = (video_key, poster_key, landmarks_key)
    video, poster, landmarks = (key(floor.job_id, 1) for key in keys)
    segments = ["00000.m4s", "00001.m4s", "index.m3u8", "init.mp4", "media.m3u8"]
    assert floor.streamed() == segments
    prefix = stream_prefix(floor.job_id, 1)
    assert floor.objects == {video, poster, landmarks, *(prefix + name for name in segments)}
    assert b"ftyp" in floor.storage.contents[video][:16]
    with Image.open(BytesIO(floor.storage.contents[poster])) as picture:
        assert (picture.format, picture.size) == ("JPEG", (64, 64))
    with np.load(BytesIO(floor.storage.contents[landmarks])) as track:
        assert track["landmarks"].shape == (50, 79, 2)
        assert track["emotions"].shape == (50, 8)
        assert track["frame_rate"] == 25
    assert list(floor.job_runner.directory.scratch.iterdir()) == []


def test_all_results_state_that_they_are_synthetic_and_their_job(floor: Floor) -> None:
    before = datetime.now(UTC).replace(microsecond=0)
    floor.run()

    made = floor.storage.contents
    with av.open(BytesIO(made[video_key(floor.job_id, 1)])) as container:
        told = container.metadata
    assert told["comment"] == Provenance(weights=weights_digest()).sentence
    assert before <= datetime.fromisoformat(told["creation_time"])
    for key in (video_key, poster_key):
        assert f"<dc:identifier>{floor.job_id}<".encode() in made[key(floor.job_id, 1)]
    with np.load(BytesIO(made[landmarks_key(floor.job_id, 1)])) as track:
        assert track["synthetic"]
        assert track["model"] == Provenance(weights=weights_digest()).model


def test_a_jobs_files_lie_in_the_workers_scratch_space(floor: Floor) -> None:
    scratch = floor.job_runner.directory.scratch
    seen: list[int] = []
    floor.pipeline.before_batch = lambda _: seen.append(len(list(scratch.iterdir())))
    floor.run()

    assert set(seen) == {1}


def test_the_pipeline_is_given_the_jobs_options(floor: Floor) -> None:
    floor.run()

    assert floor.pipeline.options == [
        SynthesisOptions(
            emotion=Emotion.ANGER,
            intensity=1.5,
            compose="full",
            eyes="as_is",
            face="2",
            resolution=256,
            seed=7,
        )
    ]


def test_the_emotion_auto_is_the_detected_one() -> None:
    assert synthesis_options(Options(consent=True)).emotion is None


def test_the_watermark_is_shown_if_the_caller_requests_it(floor: Floor) -> None:
    floor.store.jobs[floor.job_id] = floor.job.model_copy(
        update={"options": floor.job.options.model_copy(update={"mark": True})}
    )
    assert floor.run() is Outcome.SUCCEEDED

    assert is_marked(floor)
    assert MARKED not in floor.job.notices


def test_the_watermark_is_shown_on_every_video_if_the_operator_enforces_it(floor: Floor) -> None:
    always = floor.job_runner.settings.model_copy(update={"visible_mark": "always"})
    floor.job_runner = replace(floor.job_runner, settings=always)
    assert floor.run() is Outcome.SUCCEEDED

    assert is_marked(floor)
    assert floor.job.notices == ("face_far_from_camera", MARKED)


def test_a_success_is_counted_with_its_wait_and_its_speed(floor: Floor) -> None:
    names = ("job_wait_seconds_count", "turnaround_ratio_count", "real_time_factor_count")
    labels = {"job_wait_seconds_count": {"priority": "normal"}}
    before = [metric(f"amigo_worker_{name}", **labels.get(name, {})) for name in names]
    speech = metric("amigo_worker_speech_seconds_total")
    floor.run()
    after = [metric(f"amigo_worker_{name}", **labels.get(name, {})) for name in names]
    assert after == [count + 1 for count in before]
    assert floor.job.result is not None
    spoken = metric("amigo_worker_speech_seconds_total") - speech
    assert spoken == pytest.approx(floor.job.result.duration)


def test_by_default_there_is_no_watermark(floor: Floor) -> None:
    assert floor.run() is Outcome.SUCCEEDED

    assert not is_marked(floor)
    assert MARKED not in floor.job.notices


def is_marked(floor: Floor) -> bool:
    """Return whether there are bright pixels in video and poster; the pipeline renders black."""
    made = floor.storage.contents
    with av.open(BytesIO(made[video_key(floor.job_id, 1)]), "r") as container:
        lit = {bool(f.to_ndarray(format="gray").max() > 128) for f in container.decode(video=0)}
    with Image.open(BytesIO(made[poster_key(floor.job_id, 1)])) as poster:
        lit.add(bool(np.asarray(poster).max() > 128))
    assert len(lit) == 1
    return lit.pop()


def test_with_a_certificate_video_and_poster_are_signed(floor: Floor) -> None:
    authority = SigningAuthority()
    certificate = authority.issue()
    signer = ManifestSigner(certificate.chain, certificate.key)
    floor.job_runner = replace(floor.job_runner, signer=signer)
    assert floor.run() is Outcome.SUCCEEDED

    made = floor.storage.contents
    assert authority.judge(made[video_key(floor.job_id, 1)], MP4) == "Trusted"
    assert authority.judge(made[poster_key(floor.job_id, 1)], JPEG) == "Trusted"
    assert floor.streamed() == [], "segments cannot be signed"


def test_an_unavailable_timestamp_service_does_not_use_up_an_attempt(
    floor: Floor,
) -> None:
    certificate = SigningAuthority().issue()

    class Untimed(ManifestSigner):
        def sign_file(self, path: Path, media_type: str, provenance: Provenance) -> None:
            raise TimestampUnavailable("The timestamp could not be obtained.")

    signer = Untimed(certificate.chain, certificate.key)
    floor.job_runner = replace(floor.job_runner, signer=signer)

    assert floor.run() is Outcome.HANDED_BACK
    assert floor.job.status is JobStatus.QUEUED
    assert floor.job.attempts_counted == 0
    assert floor.objects == floor.inputs


def test_an_unsigned_file_is_retried_and_never_served(floor: Floor) -> None:
    class Broken(ManifestSigner):
        def __init__(self) -> None:
            pass

        def sign_file(self, path: Path, media_type: str, provenance: Provenance) -> None:
            raise SigningFailed("The certificate has expired.")

    floor.job_runner = replace(floor.job_runner, signer=Broken())
    for attempt in range(1, MAX_ATTEMPTS + 1):
        assert floor.run() is Outcome.FAULTED
        assert floor.job.attempt == attempt
        assert video_key(floor.job_id, attempt) not in floor.objects
    assert floor.job.failure == INTERNAL_ERROR


def test_stages_come_in_order_and_progress_only_grows(floor: Floor) -> None:
    floor.run()

    reported = [job for job in floor.store.history if job.status is JobStatus.PROCESSING]
    progress = [job.progress for job in reported]
    stages = list(dict.fromkeys(job.stage for job in reported))
    assert stages == [Stage.FETCHING, Stage.LISTENING, Stage.RENDERING, Stage.STORING]
    assert progress == sorted(progress)


def test_frames_are_reported_a_few_times_a_second_at_most(floor: Floor) -> None:
    floor.run()

    assert len([job for job in floor.store.history if job.stage is Stage.RENDERING]) < 10


def test_a_media_error_fails_the_job_at_once(floor: Floor) -> None:
    def begin() -> None:
        raise NoFace("No face was found; one face that looks at the camera is accepted.")

    floor.pipeline.begin = begin
    floor.storage.contents[portrait_key(floor.job_id)] = animation()
    before = metric("amigo_worker_job_failures_total", code="no_face")

    assert floor.run() is Outcome.FAILED
    assert floor.job.failure is not None
    assert floor.job.failure.code == "no_face"
    assert floor.job.failure.message.startswith("No face was found")
    assert "an animated PNG picture" in floor.job.failure.message
    assert floor.objects == set()
    assert floor.queue.messages == []
    assert metric("amigo_worker_job_failures_total", code="no_face") == before + 1


@pytest.mark.parametrize("key", [portrait_key, audio_key])
def test_an_input_that_cannot_be_decoded_fails_the_job(floor: Floor, key: object) -> None:
    assert callable(key)
    floor.storage.contents[key(floor.job_id)] = b"neither picture nor sound"

    assert floor.run() is Outcome.FAILED
    assert floor.job.failure is not None
    assert floor.job.failure.code in ("portrait_unreadable", "audio_unreadable")


def test_a_missing_input_fails_the_job(floor: Floor) -> None:
    del floor.storage.contents[audio_key(floor.job_id)]

    assert floor.run() is Outcome.FAILED
    assert floor.job.failure is not None
    assert floor.job.failure.code == "inputs_missing"


def test_a_short_outage_is_retried(floor: Floor) -> None:
    for method in ("get", "put"):
        floor.storage.outages.of(method, 3)
    for method in ("claim", "finish"):
        floor.store.outages.of(method, 3)

    assert floor.run() is Outcome.SUCCEEDED
    assert floor.job.attempt == 1


@pytest.mark.parametrize("method", ["get", "put"])
def test_a_long_object_store_outage_does_not_use_up_an_attempt(floor: Floor, method: str) -> None:
    floor.use_up_attempts_but_one()
    floor.storage.outages.of(method, FOR_EVER)

    assert floor.run() is Outcome.HANDED_BACK
    assert floor.job.status is JobStatus.QUEUED
    assert not floor.job.is_last_attempt
    assert floor.queue.messages == [], "it waits, as long as the outage may last"
    assert floor.objects == floor.inputs


def test_a_store_outage_during_rendering_does_not_end_the_attempt(
    floor: Floor,
) -> None:
    for method in ("advance", "renew"):
        floor.store.outages.of(method, FOR_EVER)

    assert floor.run() is Outcome.SUCCEEDED


def test_a_result_that_cannot_be_recorded_leaves_the_job_to_its_lease(floor: Floor) -> None:
    floor.store.outages.of("finish", FOR_EVER)

    assert floor.run() is Outcome.ABANDONED
    assert floor.job.status is JobStatus.PROCESSING
    assert floor.inputs < floor.objects


def test_undeletable_inputs_do_not_fail_the_job(floor: Floor) -> None:
    floor.storage.outages.of("delete_prefix", FOR_EVER)

    assert floor.run() is Outcome.SUCCEEDED


def raise_fault() -> None:
    raise ZeroDivisionError("the password is swordfish")


def test_a_fault_is_logged_and_hands_the_job_back(
    floor: Floor, caplog: pytest.LogCaptureFixture
) -> None:
    floor.pipeline.begin = raise_fault

    assert floor.run() is Outcome.FAULTED
    assert floor.job.status is JobStatus.QUEUED
    (error,) = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert floor.job_id in error.getMessage()
    assert error.exc_info is not None
    assert error.exc_info[0] is ZeroDivisionError


def test_a_fault_in_the_last_attempt_fails_the_job_with_internal_error(floor: Floor) -> None:
    floor.use_up_attempts_but_one()
    floor.pipeline.begin = raise_fault

    assert floor.run() is Outcome.FAULTED
    assert floor.job.failure is not None
    assert floor.job.failure.code == "internal_error"
    assert "swordfish" not in floor.job.failure.message
    assert floor.objects == set()


def test_a_canceled_job_ends_between_two_batches_and_leaves_nothing(
    floor: Floor, monkeypatch: pytest.MonkeyPatch
) -> None:
    attempts: list[Attempt] = []

    class Recorded(Attempt):
        def __enter__(self) -> Self:
            attempts.append(self)
            return super().__enter__()

    monkeypatch.setattr("workers.synthesis.job_runner.Attempt", Recorded)
    batches: list[int] = []

    def before_batch(number: int) -> None:
        batches.append(number)
        if number == 2:
            floor.store.cancel(floor.job_id)
            wait_for(lambda: attempts[0].has_ended)

    floor.pipeline.before_batch = before_batch

    assert floor.run() is Outcome.DROPPED
    assert batches == [0, 1, 2]
    assert floor.job.status is JobStatus.CANCELED
    assert floor.objects == set()


def test_segments_are_stored_while_the_rest_is_rendered(floor: Floor) -> None:
    floor.storage.put(audio_key(floor.job_id), recording(babble(6), "wav", "pcm_s16le"), "")
    seen: list[list[str]] = []

    def before_batch(number: int) -> None:
        if number == 25:
            wait_for(lambda: "index.m3u8" in floor.streamed())
            seen.append(floor.streamed())

    floor.pipeline.before_batch = before_batch

    assert floor.run() is Outcome.SUCCEEDED
    assert "00000.m4s" in seen[0]
    assert "00005.m4s" not in seen[0]
    playlist = floor.storage.contents[f"{stream_prefix(floor.job_id, 1)}media.m3u8"].decode()
    assert listed_segments(playlist) == [f"{number:05}.m4s" for number in range(6)]
    assert playlist.endswith(END)


def test_a_short_object_store_outage_only_delays_the_segments(floor: Floor) -> None:
    floor.storage.outages.of("put", 2)

    assert floor.run() is Outcome.SUCCEEDED
    assert floor.streamed() == [
        "00000.m4s",
        "00001.m4s",
        "index.m3u8",
        "init.mp4",
        "media.m3u8",
    ]


def test_a_lost_attempts_segments_stay_until_the_job_has_ended(floor: Floor) -> None:
    floor.storage.put(audio_key(floor.job_id), recording(babble(6), "wav", "pcm_s16le"), "")

    def lose(number: int) -> None:
        if number == 25:
            wait_for(lambda: "index.m3u8" in floor.streamed())
            floor.store.requeue(floor.job_id, 1)

    floor.pipeline.before_batch = lose

    assert floor.run() is Outcome.DROPPED
    assert "index.m3u8" in floor.streamed()
    floor.pipeline.begin = lambda: floor.store.cancel(floor.job_id)
    assert floor.run() is Outcome.DROPPED
    assert floor.streamed(2) == []


def test_a_job_lost_to_another_attempt_is_dropped_and_the_others_objects_stay(
    floor: Floor,
) -> None:
    other_video = video_key(floor.job_id, 2)

    def begin() -> None:
        floor.store.requeue(floor.job_id, 1)
        floor.store.claim(floor.job_id)
        floor.storage.put(video_key(floor.job_id, 1), b"mine", "video/mp4")
        floor.storage.put(other_video, b"the other's", "video/mp4")

    floor.pipeline.begin = begin

    assert floor.run() is Outcome.DROPPED
    assert floor.job.status is JobStatus.PROCESSING
    assert floor.job.attempt == 2
    assert floor.objects == {*floor.inputs, other_video}


def test_a_job_without_a_record_keeps_what_its_restoration_needs(floor: Floor) -> None:
    def begin() -> None:
        floor.storage.put(video_key(floor.job_id, 1), b"mine", "video/mp4")
        floor.store.delete(floor.job_id)

    floor.pipeline.begin = begin

    assert floor.run() is Outcome.DROPPED
    assert floor.objects == floor.inputs


def test_a_job_over_its_time_limit_is_handed_back(floor: Floor) -> None:
    settings = floor.job_runner.settings.model_copy(
        update={"lease_seconds": 0.03, "job_base_seconds": 0.01, "job_seconds_per_second": 0.01}
    )
    floor.pipeline.begin = lambda: wait_for(lambda: floor.job.status is JobStatus.QUEUED)

    assert replace(floor.job_runner, settings=settings).run(floor.job_id) is Outcome.HANDED_BACK
    assert floor.queue.messages == [], "it pauses first"
    assert floor.objects == floor.inputs


def test_the_failure_names_the_stage_that_exceeded_its_time_limit(floor: Floor) -> None:
    settings = floor.job_runner.settings.model_copy(
        update={"lease_seconds": 0.03, "fetching_seconds": 0.01}
    )
    floor.use_up_attempts_but_one()
    get = floor.storage.get

    def slow(key: str) -> bytes:
        wait_for(lambda: floor.job.status is JobStatus.FAILED)
        return get(key)

    floor.storage.get = slow  # type: ignore[method-assign]
    before = metric("amigo_worker_stage_timeouts_total", stage="fetching")

    assert replace(floor.job_runner, settings=settings).run(floor.job_id) is Outcome.HANDED_BACK
    assert floor.job.failure is not None
    assert floor.job.failure.code == "attempts_used_up"
    assert "fetching exceeded its time limit of 0.01 s" in floor.job.failure.message
    assert metric("amigo_worker_stage_timeouts_total", stage="fetching") == before + 1


def test_a_job_handed_back_by_a_worker_that_stops_keeps_its_attempts(floor: Floor) -> None:
    settings = floor.job_runner.settings.model_copy(
        update={"lease_seconds": 0.03, "shutdown_seconds": 0.0}
    )
    floor.job_runner.directory.ask_to_stop()
    floor.pipeline.begin = lambda: wait_for(lambda: floor.job.status is JobStatus.QUEUED)

    assert replace(floor.job_runner, settings=settings).run(floor.job_id) is Outcome.HANDED_BACK
    assert (floor.job.attempt, floor.job.handed_back) == (1, 1)
    assert floor.queue.messages == [floor.job_id]


def test_the_time_limits_are_each_stages_own_and_grow_with_the_speech(
    floor: Floor, monkeypatch: pytest.MonkeyPatch
) -> None:
    limits: list[tuple[str, float]] = []
    monkeypatch.setattr(
        "workers.synthesis.attempt.Attempt.allow", lambda _, *limit: limits.append(limit)
    )
    floor.run()

    assert limits == [
        ("fetching", 240),
        ("listening", 120),
        ("listening", 120 + 60 * 2),
        ("rendering", 120 + 60 * 2),
        ("storing", 240),
    ]


def test_a_job_that_is_not_queued_is_not_claimed(floor: Floor) -> None:
    floor.store.cancel(floor.job_id)

    assert floor.run() is Outcome.NOT_TAKEN
    assert floor.pipeline.options == []


def test_an_unknown_job_is_not_claimed(floor: Floor) -> None:
    assert floor.job_runner.run("job_unknown") is Outcome.NOT_TAKEN


def test_outcomes_seconds_and_frames_are_counted(floor: Floor) -> None:
    names = {
        "amigo_worker_jobs_total": {"outcome": "succeeded"},
        "amigo_worker_job_seconds_count": {"outcome": "succeeded"},
        "amigo_worker_stage_seconds_count": {"stage": "storing"},
        "amigo_worker_frames_rendered_total": {},
    }
    before = {name: metric(name, **labels) for name, labels in names.items()}
    floor.run()
    after = {name: metric(name, **labels) for name, labels in names.items()}

    assert [after[name] - before[name] for name in names] == [1, 1, 1, 50]


def test_an_unreachable_url_fails_the_job_with_the_reason(floor: Floor) -> None:
    del floor.storage.contents[portrait_key(floor.job_id)]
    floor.store.jobs[floor.job_id] = floor.job.model_copy(
        update={"portrait_url": "https://10.0.0.1/face.jpg"}
    )
    assert floor.run() is Outcome.FAILED
    assert floor.job.failure is not None
    assert floor.job.failure.code == "url_refused"
    assert floor.objects == set()


def test_speech_longer_than_accepted_fails_the_job(floor: Floor) -> None:
    speech = recording(babble(2.5), "wav", "pcm_s16le")
    floor.storage.put(audio_key(floor.job_id), speech, "audio/wav")
    short = floor.job_runner.settings.model_copy(update={"audio_max_seconds": 2.2})
    assert replace(floor.job_runner, settings=short).run(floor.job_id) is Outcome.FAILED
    assert floor.job.failure is not None
    assert floor.job.failure.code == "audio_too_long"
