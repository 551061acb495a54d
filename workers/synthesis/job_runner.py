"""Processing of one job: claim it, generate the video, and handle every way this can end."""

import logging
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray
from opentelemetry.trace import SpanKind

from jobs.errors import (
    InvalidTransition,
    JobNotFound,
    ObjectNotFound,
    StorageUnavailable,
    StoreUnavailable,
    Unavailable,
)
from jobs.job import Job, Stage
from jobs.options import Options
from jobs.queue import JobQueue
from jobs.s3.object_store import ObjectStorage
from jobs.s3.paths import (
    attempt_prefix,
    inputs_prefix,
    job_prefix,
    landmarks_key,
    poster_key,
    stream_prefix,
    video_key,
)
from jobs.tracing import job_span, log_fields_of, record_queue_span
from jobs.valkey.job_store import JobStore
from jobs.values import Failure, HeardEmotion, Result
from media.audio import FRAME_RATE, SAMPLE_RATE
from media.emotions import Emotion
from media.errors import MediaError
from media.logging import log_fields
from media.picture import explaining_animation
from media.poster import make_poster
from media.provenance import Provenance
from media.sandbox.decoder import Decoder
from media.video import encode_video
from media.watermark import Watermark
from models.manifest import weights_digest
from models.options import SynthesisOptions
from workers.synthesis.attempt import Attempt, AttemptEnded
from workers.synthesis.inputs import InputNotFetched, Inputs
from workers.synthesis.live_stream import LiveStream
from workers.synthesis.metrics import (
    FAILURES,
    JOB_SECONDS,
    JOBS,
    Outcome,
    count_claim,
    count_success,
)
from workers.synthesis.pipeline import Pipeline, Synthesis
from workers.synthesis.retry_policy import RetryPolicy
from workers.synthesis.run_directory import RunDirectory
from workers.synthesis.settings import WorkerSettings
from workers.synthesis.signing import JPEG, MP4, ManifestSigner

logger = logging.getLogger(__name__)

MARKED = "visible_mark"
"""The notice that the operator added the visible watermark without the caller's request."""

INPUTS_MISSING = Failure(
    code="inputs_missing",
    message="The portrait or the speech clip is no longer stored; please submit the job again.",
)
INTERNAL_ERROR = Failure(
    code="internal_error",
    message="An internal error ended every attempt to finish this job.",
)


@dataclass(frozen=True)
class JobRunner:
    """Turns queued jobs into videos, one at a time."""

    store: JobStore
    storage: ObjectStorage
    inputs: Inputs
    queue: JobQueue
    decoder: Decoder
    pipeline: Pipeline
    retries: RetryPolicy
    directory: RunDirectory
    settings: WorkerSettings
    signer: ManifestSigner | None = None

    def run(self, job_id: str) -> Outcome:
        """Process a job until it reaches a final state or another attempt owns it.

        Raises:
            StoreUnavailable: the job could not be claimed; its message is sent again later.
        """
        try:
            job = self.retries.call(lambda: self.store.claim(job_id))
        except (InvalidTransition, JobNotFound) as refusal:
            logger.info("job=%s not claimed: %s", job_id, refusal)
            JOBS.labels(Outcome.NOT_TAKEN).inc()
            return Outcome.NOT_TAKEN
        count_claim(job)
        record_queue_span(job)
        with (
            job_span(job, "attempt", SpanKind.CONSUMER, **{"amigo.attempt": job.attempt}) as span,
            log_fields(**log_fields_of(job)),
        ):
            outcome = self._run_attempt(job)
            span.set_attribute("amigo.outcome", outcome)
        return outcome

    def _run_attempt(self, job: Job) -> Outcome:
        """Work on a claimed job; count, time and log the attempt."""
        began = time.monotonic()
        with self._attempt(job) as attempt:
            outcome = self._work(attempt)
        seconds = time.monotonic() - began
        JOBS.labels(outcome).inc()
        JOB_SECONDS.labels(outcome).observe(seconds)
        logger.info("%s outcome=%s seconds=%.1f", attempt, outcome, seconds)
        return outcome

    def _attempt(self, job: Job) -> Attempt:
        return Attempt(
            job,
            self.store,
            self.queue,
            self.retries,
            must_stop=lambda: self.directory.stopping_for() > self.settings.shutdown_seconds,
            lease_seconds=self.settings.lease_seconds,
        )

    def _work(self, attempt: Attempt) -> Outcome:
        """Generate the video and record how the attempt ended, if the store responds."""
        try:
            try:
                return self._conclude(attempt)
            except AttemptEnded as ended:
                logger.info("%s result dropped: %s", attempt, ended)
                self._discard(attempt)
                return Outcome.HANDED_BACK if ended.is_released else Outcome.DROPPED
        except StoreUnavailable as unavailable:
            logger.warning(
                "%s could not be recorded; the reconciler will requeue the job: %s",
                attempt,
                unavailable,
            )
            return Outcome.ABANDONED

    def _conclude(self, attempt: Attempt) -> Outcome:
        """Generate the video; an error decides what happens to the job."""
        try:
            self._make_video(attempt)
        except MediaError as error:
            return self._close(attempt.fail(Failure(code=error.code, message=str(error))))
        except InputNotFetched as error:
            return self._close(attempt.fail(error.failure))
        except ObjectNotFound:
            return self._close(attempt.fail(INPUTS_MISSING))
        except (AttemptEnded, StoreUnavailable):
            raise
        except Unavailable as error:
            logger.warning("%s: %s", attempt, error)
            return self._close(attempt.postpone())
        except Exception:
            logger.exception("%s ended with an unexpected error", attempt)
            self._close(attempt.requeue(INTERNAL_ERROR))
            return Outcome.FAULTED
        return Outcome.SUCCEEDED

    def _make_video(self, attempt: Attempt) -> None:
        """Fetch, listen, render, store: the stages of a job that goes well."""
        job = attempt.job
        attempt.enter(Stage.FETCHING, self.settings.fetching_seconds)
        portrait, speech = self.inputs.portrait(job), self.inputs.audio(job)

        attempt.enter(Stage.LISTENING, self._time_limit(0.0))
        picture = self.decoder.portrait(portrait)
        heard = self.decoder.speech(speech, self.settings.audio_max_seconds)
        limit = self._time_limit(len(heard.waveform) / SAMPLE_RATE)
        attempt.allow(Stage.LISTENING, limit)
        with explaining_animation(portrait):
            synthesis = self.pipeline(
                picture.pixels, heard.waveform, synthesis_options(job.options)
            )

        with self._scratch() as folder, self._live_stream(job, folder) as stream:
            attempt.enter(Stage.RENDERING, limit)
            video = folder / "video.mp4"
            frames = attempt.follow(self._frames(job, synthesis), synthesis.num_frames)
            provenance = Provenance.now(job.id, weights=weights_digest())
            encode_video(
                video,
                frames,
                heard.waveform,
                provenance=provenance,
                segments=stream.segments if stream else None,
            )

            attempt.enter(Stage.STORING, self.settings.storing_seconds)
            if stream:
                stream.finish()
            result = self._store_result(job, video, synthesis, provenance)
            notices = (*picture.notices, *heard.notices, *self._notices(job, synthesis))
            count_success(attempt.succeed(result, notices), result)
        self._delete(inputs_prefix(job.id))

    @contextmanager
    def _scratch(self) -> Iterator[Path]:
        with TemporaryDirectory(dir=self.directory.scratch) as folder:
            yield Path(folder)

    def _live_stream(self, job: Job, folder: Path) -> AbstractContextManager[LiveStream | None]:
        """Return where the segments go, or None: what must be signed is only served whole."""
        if self.signer is not None:
            return nullcontext()
        prefix = stream_prefix(job.id, job.attempt)
        return LiveStream(folder, prefix, self.storage, self.retries)

    def _frames(self, job: Job, synthesis: Synthesis) -> Iterator[NDArray[np.uint8]]:
        """Return the frames in batches, with the watermark if the caller or the operator asks for
        it.
        """
        if not (job.options.mark or self._is_mark_forced(job)):
            return synthesis.frames()
        return Watermark.beside(synthesis.track.landmarks, synthesis.size).over(synthesis.frames())

    def _is_mark_forced(self, job: Job) -> bool:
        return self.settings.visible_mark == "always" and not job.options.mark

    def _notices(self, job: Job, synthesis: Synthesis) -> tuple[str, ...]:
        return (*synthesis.notices, MARKED) if self._is_mark_forced(job) else synthesis.notices

    def _store_result(
        self, job: Job, video: Path, synthesis: Synthesis, provenance: Provenance
    ) -> Result:
        """Store the video, its poster and its landmarks; return the result with their keys."""
        keys = [key(job.id, job.attempt) for key in (video_key, poster_key, landmarks_key)]
        poster, track = make_poster(video, provenance), synthesis.track.to_npz(provenance)
        if (signer := self.signer) is not None:
            self.retries.call(lambda: signer.sign_file(video, MP4, provenance))
            poster = self.retries.call(lambda: signer.sign(poster, JPEG, provenance))
        self._put(keys[0], video, MP4)
        self._put(keys[1], poster, JPEG)
        self._put(keys[2], track, "application/x-npz")
        return describe_result(synthesis, *keys)

    def _put(self, key: str, data: bytes | Path, content_type: str) -> None:
        self.retries.call(lambda: self.storage.put(key, data, content_type))

    def _close(self, job: Job) -> Outcome:
        """Return the outcome of a job without a video; if queued again, it waits for its next
        attempt.
        """
        if job.failure is None:
            return Outcome.HANDED_BACK
        logger.info("job=%s failed with %s: %s", job.id, job.failure.code, job.failure.message)
        FAILURES.labels(job.failure.code).inc()
        self._delete(job_prefix(job.id))
        return Outcome.FAILED

    def _discard(self, attempt: Attempt) -> None:
        """Remove the objects of an attempt that lost its job.

        Its segments stay until the job has ended, so that whoever watches them sees them end. The
        inputs stay if there is no record: a store that lost its data needs them to restore the
        job. The reconciler clears those of a deleted job.
        """
        job, segments = attempt.job, stream_prefix(attempt.job.id, attempt.job.attempt)
        self._delete(attempt_prefix(job.id, job.attempt), keep=segments)
        try:
            has_ended = self.retries.call(lambda: self.store.get(job.id)).status.is_final
        except JobNotFound:
            self._delete(segments)
            return
        if has_ended:
            self._delete(segments)
            self._delete(inputs_prefix(job.id))

    def _delete(self, prefix: str, keep: str | None = None) -> None:
        try:
            self.storage.delete_prefix(prefix, keep)
        except StorageUnavailable as unavailable:
            logger.warning(
                "%s could not be deleted; the reconciler will do so: %s", prefix, unavailable
            )

    def _time_limit(self, duration: float) -> float:
        """Return a stage's time limit in seconds for `duration` seconds of speech."""
        return self.settings.job_base_seconds + self.settings.job_seconds_per_second * duration


def describe_result(synthesis: Synthesis, video: str, poster: str, landmarks: str) -> Result:
    """Return the result of a finished synthesis whose files are stored under the given keys."""
    width, height = synthesis.size
    return Result(
        video_key=video,
        poster_key=poster,
        landmarks_key=landmarks,
        width=width,
        height=height,
        num_frames=synthesis.num_frames,
        duration=synthesis.num_frames / FRAME_RATE,
        emotion=HeardEmotion(
            emotion=synthesis.heard.emotion, probabilities=synthesis.heard.probabilities
        ),
        timings=synthesis.timings,
    )


def synthesis_options(options: Options) -> SynthesisOptions:
    """Convert a job's options for the pipeline."""
    return SynthesisOptions(
        emotion=None if options.emotion == "auto" else Emotion(options.emotion),
        intensity=options.intensity,
        pose=options.pose,
        blink=options.blink,
        eyes=options.eyes,
        face=options.face,
        compose=options.compose,
        resolution=int(options.resolution),
        seed=options.seed,
    )
