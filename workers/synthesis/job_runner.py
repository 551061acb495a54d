"""Processing of one job: claim it, generate the video, and handle every way this can end."""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray

from jobs.errors import (
    InvalidTransition,
    JobNotFound,
    ObjectNotFound,
    StaleAttempt,
    StorageUnavailable,
    StoreUnavailable,
    Unavailable,
)
from jobs.job import Failure, HeardEmotion, Job, Options, Result, Stage, attempts_used_up
from jobs.queue import JobQueue
from jobs.s3.object_store import (
    ObjectStorage,
    attempt_prefix,
    inputs_prefix,
    landmarks_key,
    poster_key,
    video_key,
)
from jobs.valkey.job_store import JobStore
from media.audio import FRAME_RATE, SAMPLE_RATE
from media.emotions import Emotion
from media.errors import MediaError
from media.poster import make_poster
from media.provenance import Provenance
from media.sandbox.decoder import Decoder
from media.video import encode_video
from media.watermark import Mark
from models.manifest import weights_digest
from models.options import SynthesisOptions
from workers.synthesis.heartbeat import Heartbeat, Limit
from workers.synthesis.inputs import InputNotFetched, Inputs
from workers.synthesis.metrics import FAILURES, JOB_SECONDS, JOBS, STAGE_TIMEOUTS, Outcome
from workers.synthesis.patience import Patience
from workers.synthesis.pipeline import Pipeline, Synthesis
from workers.synthesis.progress import Progress
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
class Synthesizer:
    """Turns queued jobs into videos, one at a time."""

    store: JobStore
    storage: ObjectStorage
    inputs: Inputs
    queue: JobQueue
    decoder: Decoder
    pipeline: Pipeline
    patience: Patience
    directory: RunDirectory
    settings: WorkerSettings
    signer: ManifestSigner | None = None

    def run(self, job_id: str) -> Outcome:
        """Process a job until it has ended or is released.

        Raises:
            StoreUnavailable: the job could not be claimed; it is dispatched again later.
        """
        try:
            job = self.patience.call(lambda: self.store.claim(job_id))
        except (InvalidTransition, JobNotFound) as refusal:
            logger.info("job=%s not claimed: %s", job_id, refusal)
            JOBS.labels(Outcome.NOT_TAKEN).inc()
            return Outcome.NOT_TAKEN
        began = time.monotonic()
        outcome = self._attempt(job)
        seconds = time.monotonic() - began
        JOBS.labels(outcome).inc()
        JOB_SECONDS.labels(outcome).observe(seconds)
        logger.info(
            "job=%s attempt=%d outcome=%s seconds=%.1f", job.id, job.attempt, outcome, seconds
        )
        return outcome

    def _attempt(self, job: Job) -> Outcome:
        """Hold the job's lease within the context, as long as the store is available."""
        try:
            with self._heartbeat(job) as heartbeat:
                try:
                    return self._answer(job, heartbeat)
                except StaleAttempt as lost:
                    logger.info("job=%s result dropped: %s", job.id, lost)
                    return self._drop(job, heartbeat)
        except StoreUnavailable as silent:
            logger.warning("job=%s is left to the reconciler: %s", job.id, silent)
            return Outcome.ABANDONED

    def _answer(self, job: Job, heartbeat: Heartbeat) -> Outcome:
        """Generate the video; an error decides what happens to the job."""
        try:
            self._make_video(job, heartbeat)
        except MediaError as error:
            return self._fail(job, Failure(code=error.code, message=str(error)))
        except InputNotFetched as error:
            return self._fail(job, error.failure)
        except ObjectNotFound:
            return self._fail(job, INPUTS_MISSING)
        except (StaleAttempt, StoreUnavailable):
            raise
        except Unavailable as silent:
            logger.warning("job=%s attempt=%d: %s", job.id, job.attempt, silent)
            return self._give_up(lambda: self.store.postpone(job.id, job.attempt))
        except Exception:
            logger.exception(
                "job=%s attempt=%d ended with an unexpected error", job.id, job.attempt
            )
            self._give_up(lambda: self.store.requeue(job.id, job.attempt, INTERNAL_ERROR))
            return Outcome.FAULTED
        return Outcome.SUCCEEDED

    def _make_video(self, job: Job, heartbeat: Heartbeat) -> None:
        """Fetch, listen, render, store: the stages of a successful job."""
        progress = Progress(self.store, job, heartbeat.allow)
        progress.enter(Stage.FETCHING, self.settings.fetching_seconds)
        portrait, speech = self.inputs.portrait(job), self.inputs.audio(job)

        progress.enter(Stage.LISTENING, self._time_limit(0.0))
        image = self.decoder.portrait(portrait)
        waveform = self.decoder.waveform(speech, self.settings.audio_max_seconds)
        limit = self._time_limit(len(waveform) / SAMPLE_RATE)
        heartbeat.allow(Stage.LISTENING, limit)
        synthesis = self.pipeline(image, waveform, synthesis_options(job.options))

        with TemporaryDirectory(dir=self.directory.scratch) as folder:
            progress.enter(Stage.RENDERING, limit)
            video = Path(folder) / "video.mp4"
            frames = progress.follow(self._frames(job, synthesis), synthesis.num_frames)
            provenance = Provenance.now(job.id, weights=weights_digest())
            encode_video(video, frames, waveform, provenance=provenance)

            progress.enter(Stage.STORING, self.settings.storing_seconds)
            self._store(job, video, synthesis, provenance)
        progress.close()

    def _frames(self, job: Job, synthesis: Synthesis) -> Iterator[NDArray[np.uint8]]:
        """Return the frames in batches, with the watermark if the caller or the operator asks for
        it.
        """
        if not (job.options.mark or self._is_mark_forced(job)):
            return synthesis.frames()
        return Mark.beside(synthesis.track.landmarks, synthesis.size).over(synthesis.frames())

    def _is_mark_forced(self, job: Job) -> bool:
        return self.settings.visible_mark == "always" and not job.options.mark

    def _notices(self, job: Job, synthesis: Synthesis) -> tuple[str, ...]:
        return (*synthesis.notices, MARKED) if self._is_mark_forced(job) else synthesis.notices

    def _store(self, job: Job, video: Path, synthesis: Synthesis, provenance: Provenance) -> None:
        """Store the video, its poster and its landmarks, and record the job's success."""
        width, height = synthesis.size
        result = Result(
            video_key=video_key(job.id, job.attempt),
            poster_key=poster_key(job.id, job.attempt),
            landmarks_key=landmarks_key(job.id, job.attempt),
            width=width,
            height=height,
            num_frames=synthesis.num_frames,
            duration=synthesis.num_frames / FRAME_RATE,
            emotion=HeardEmotion(
                emotion=synthesis.heard.emotion, probabilities=synthesis.heard.probabilities
            ),
            timings=synthesis.timings,
        )
        poster, track = make_poster(video, provenance), synthesis.track.to_npz(provenance)
        if (signer := self.signer) is not None:
            self.patience.call(lambda: signer.sign_file(video, MP4, provenance))
            poster = self.patience.call(lambda: signer.sign(poster, JPEG, provenance))
        self._put(result.video_key, video, MP4)
        self._put(poster_key(job.id, job.attempt), poster, JPEG)
        self._put(landmarks_key(job.id, job.attempt), track, "application/x-npz")
        self.patience.call(
            lambda: self.store.finish(job.id, job.attempt, result, self._notices(job, synthesis))
        )
        self._delete(inputs_prefix(job.id))

    def _put(self, key: str, data: bytes | Path, content_type: str) -> None:
        self.patience.call(lambda: self.storage.put(key, data, content_type))

    def _fail(self, job: Job, failure: Failure) -> Outcome:
        after = self.patience.call(lambda: self.store.fail(job.id, job.attempt, failure))
        return self._close(after, failure)

    def _close(self, job: Job, failure: Failure) -> Outcome:
        logger.info("job=%s failed with %s: %s", job.id, failure.code, failure.message)
        FAILURES.labels(failure.code).inc()
        self._delete(inputs_prefix(job.id))
        return Outcome.FAILED

    def _let_go(self, job: Job, over: Limit | None) -> None:
        """Release the job during an attempt: the worker stops, or a stage exceeded its time limit.

        There is only one try, because a stopping worker has no time; otherwise the lease expires.
        """
        if over is None:
            self._dispatch(self.store.hand_back(job.id, job.attempt))
            return
        STAGE_TIMEOUTS.labels(over.step).inc()
        used_up = attempts_used_up(job.attempts_counted, f"In the last attempt, {over}.")
        self._end_or_wait(self.store.requeue(job.id, job.attempt, used_up))

    def _must_stop(self) -> bool:
        return self.directory.stopping_for() > self.settings.shutdown_seconds

    def _give_up(self, move: Callable[[], Job]) -> Outcome:
        """Give the job to another attempt after a delay; after the last one, it fails."""
        return self._end_or_wait(self.patience.call(move))

    def _end_or_wait(self, job: Job) -> Outcome:
        return self._close(job, job.failure) if job.failure else Outcome.HANDED_BACK

    def _dispatch(self, job: Job) -> None:
        try:
            self.queue.dispatch(job.id, job.priority)
            self.store.mark_dispatched(job.id)
        except Unavailable as silent:
            logger.warning("job=%s is left to the reconciler to dispatch: %s", job.id, silent)

    def _drop(self, job: Job, heartbeat: Heartbeat) -> Outcome:
        """Remove all objects of an attempt that lost its job.

        The inputs stay if there is no record: a store that lost its data needs them to restore the
        job. The reconciler clears those of a deleted job.
        """
        self._delete(attempt_prefix(job.id, job.attempt))
        with suppress(JobNotFound):
            if self.patience.call(lambda: self.store.get(job.id)).status.is_final:
                self._delete(inputs_prefix(job.id))
        return Outcome.HANDED_BACK if heartbeat.has_let_go else Outcome.DROPPED

    def _delete(self, prefix: str) -> None:
        try:
            self.storage.delete_prefix(prefix)
        except StorageUnavailable as silent:
            logger.warning("%s is left to the reconciler to delete: %s", prefix, silent)

    def _heartbeat(self, job: Job) -> Heartbeat:
        return Heartbeat(
            f"job={job.id} attempt={job.attempt}",
            renew=lambda: self.store.renew(job.id, job.attempt),
            let_go=lambda over: self._let_go(job, over),
            must_stop=self._must_stop,
            interval=min(self.settings.lease_seconds / 3, 1.0),
        )

    def _time_limit(self, duration: float) -> float:
        """Return a stage's time limit in seconds for `duration` seconds of speech."""
        return self.settings.job_base_seconds + self.settings.job_seconds_per_second * duration


def synthesis_options(options: Options) -> SynthesisOptions:
    """Convert a job's options for the pipeline."""
    return SynthesisOptions(
        emotion=None if options.emotion == "auto" else Emotion(options.emotion),
        intensity=options.intensity,
        pose=options.pose,
        blink=options.blink,
        compose=options.compose,
        resolution=int(options.resolution),
        seed=options.seed,
    )
