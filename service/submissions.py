"""Takes an upload to an accepted job, or leaves nothing behind."""

import logging
from collections.abc import Callable
from contextlib import suppress

from starlette.requests import ClientDisconnect

from jobs.errors import JobNotFound, Unavailable
from jobs.job import Job
from jobs.queue import JobQueue
from jobs.storage import ObjectStorage, audio_key, job_prefix, portrait_key, request_key
from jobs.store import JobStore
from models.audio import read_waveform
from models.portrait import read_portrait
from service.caller import Caller
from service.uploads import Upload

logger = logging.getLogger(__name__)

# What a caller says about a file's type is not repeated to anybody.
_UNTOLD_TYPE = "application/octet-stream"


class Submissions:
    """The way of an upload into the system."""

    def __init__(
        self, store: JobStore, storage: ObjectStorage, queue: JobQueue, audio_max_seconds: float
    ) -> None:
        self._store = store
        self._storage = storage
        self._queue = queue
        self._audio_max_seconds = audio_max_seconds

    def submit(self, upload: Upload, caller: Caller, is_abandoned: Callable[[], bool]) -> Job:
        """Check, keep, accept and dispatch a caller's upload; return the queued job.

        Blocks, and runs to its end in one thread: nothing can cut it short between two steps.

        Raises:
            MediaError: a file cannot be used.
            LimitReached: the caller's key may make no further job for now; nothing was kept.
            Unavailable: the store or the storage is down; nothing was kept.
            ClientDisconnect: the caller went away first; nothing was kept.
        """
        portrait, audio = upload.portrait.read(), upload.audio.read()
        read_portrait(portrait)
        read_waveform(audio, self._audio_max_seconds)
        job = Job.create(upload.options, tenant=caller.tenant, key_id=caller.key_id)
        try:
            self._keep(job, portrait, audio)
            _require_caller(is_abandoned)
            self._store.accept(job, caller.allowance)
        except Exception:
            self._withdraw(job)
            raise
        self._dispatch(job)
        return job

    def _keep(self, job: Job, portrait: bytes, audio: bytes) -> None:
        self._storage.put(portrait_key(job.id), portrait, _UNTOLD_TYPE)
        self._storage.put(audio_key(job.id), audio, _UNTOLD_TYPE)
        # Last, so that a journal entry proves that both files are there.
        self._storage.put(request_key(job.id), job.model_dump_json().encode(), "application/json")

    def _withdraw(self, job: Job) -> None:
        """Remove what was kept, as far as what is down lets us."""
        for remove in (self._forget, self._discard):
            try:
                remove(job)
            except Unavailable as error:
                _warn("A refused job could not be withdrawn whole", job, error)

    def _forget(self, job: Job) -> None:
        # There is a record only if it was written and the answer got lost.
        with suppress(JobNotFound):
            self._store.delete(job.id)

    def _discard(self, job: Job) -> None:
        self._storage.delete_prefix(job_prefix(job.id))

    def _dispatch(self, job: Job) -> None:
        """Send the message; when that fails, the outbox keeps the job for the reconciler."""
        try:
            self._queue.dispatch(job.id, job.priority)
            self._store.mark_dispatched(job.id)
        except Unavailable as error:
            _warn("An accepted job is not dispatched yet", job, error)


def _require_caller(is_abandoned: Callable[[], bool]) -> None:
    if is_abandoned():
        raise ClientDisconnect


def _warn(message: str, job: Job, error: Exception) -> None:
    logger.warning(message, extra={"fields": {"job_id": job.id, "reason": str(error)}})
