"""Turns an upload into an accepted job, or leaves nothing behind."""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from anyio import CapacityLimiter, from_thread, to_thread
from starlette.requests import ClientDisconnect

from jobs.assets import AssetKind
from jobs.errors import JobNotFound, Unavailable
from jobs.job import Job
from jobs.queue import JobQueue
from jobs.s3.assets import Assets
from jobs.s3.object_store import UNKNOWN_TYPE, ObjectStorage
from jobs.s3.paths import audio_key, job_prefix, portrait_key, request_key
from jobs.tracing import current_traceparent
from jobs.valkey.job_store import JobStore
from jobs.values import IdempotencyKey
from media.sandbox.decoder import Decoder
from service.caller import Caller
from service.intake.idempotency import KeyInProgress, find_earlier, in_progress
from service.intake.requests import InputName
from service.intake.uploads import Upload
from service.settings import ServiceSettings

logger = logging.getLogger(__name__)

KEY_WAIT = 10.0
"""Seconds a request waits for an earlier one with the same Idempotency-Key to complete."""
KEY_POLL = 0.2
"""Seconds between two tries meanwhile."""


@dataclass(frozen=True)
class Submitted:
    """A job, and whether an earlier request with the same Idempotency-Key created it."""

    job: Job
    is_replayed: bool


class Submissions:
    """Turns uploads into jobs, several at a time."""

    def __init__(
        self,
        store: JobStore,
        storage: ObjectStorage,
        queue: JobQueue,
        decoder: Decoder,
        settings: ServiceSettings,
    ) -> None:
        self._store = store
        self._storage = storage
        self._assets = Assets(storage)
        self._queue = queue
        self._decoder = decoder
        self._settings = settings
        self._limiter = CapacityLimiter(settings.concurrent_submissions)

    async def submit(
        self,
        upload: Upload,
        caller: Caller,
        idempotency_key: str | None,
        is_disconnected: Callable[[], Coroutine[Any, Any, bool]],
    ) -> Submitted:
        """Return the job for an upload once it is accepted.

        Raises:
            MediaError: a file is invalid.
            DecoderUnavailable: files cannot be decoded at the moment.
            AssetNotFound, AssetNotUploaded: an asset is missing.
            LimitReached: a limit of the caller's API key is reached for now.
            IdempotencyKeyTaken, Problem: the Idempotency-Key cannot be used for this request.
            Unavailable: the store or the object store is unavailable; nothing was kept.
            ClientDisconnect: the caller disconnected before; nothing was kept.
        """
        clock = asyncio.get_running_loop().time
        deadline = clock() + KEY_WAIT
        while True:
            try:
                return await to_thread.run_sync(
                    self._submit,
                    upload,
                    caller,
                    idempotency_key,
                    lambda: from_thread.run(is_disconnected),
                    limiter=self._limiter,
                )
            except KeyInProgress:
                if clock() > deadline:
                    raise in_progress(self._settings.retry_seconds) from None
            await asyncio.sleep(KEY_POLL)

    def _submit(
        self,
        upload: Upload,
        caller: Caller,
        idempotency_key: str | None,
        is_abandoned: Callable[[], bool],
    ) -> Submitted:
        """Create, check, store, accept and dispatch, in one thread: nothing interrupts it."""
        job = self._create(upload, caller, idempotency_key)
        if earlier := find_earlier(self._store, job):
            return Submitted(earlier, is_replayed=True)
        try:
            portrait = self._read(upload, caller, "portrait")
            audio = self._read(upload, caller, "audio")
            job = self._check(job, portrait, audio)
        except Exception:
            self._undo(job, self._release)
            raise
        try:
            self._keep(job, portrait, audio)
            _require_connected(is_abandoned)
            self._store.accept(job, caller.quota)
        except Exception:
            self._withdraw(job)
            raise
        self._dispatch(job)
        return Submitted(job, is_replayed=False)

    def _create(self, upload: Upload, caller: Caller, idempotency_key: str | None) -> Job:
        """Return a new job for an upload, not yet recorded anywhere."""
        asked = upload.request
        key = idempotency_key and IdempotencyKey(
            key=idempotency_key, fingerprint=upload.fingerprint()
        )
        return Job.create(
            asked.options,
            tenant=caller.tenant,
            key_id=caller.key_id,
            idempotency=key,
            traceparent=current_traceparent(),
            **asked.model_dump(
                include={
                    "priority",
                    "metadata",
                    "webhook_url",
                    "webhook_events",
                    "portrait_url",
                    "audio_url",
                }
            ),
        )

    def _read(self, upload: Upload, caller: Caller, name: InputName) -> bytes | None:
        """Return an input; None if a worker fetches it."""
        if file := upload.files.get(name):
            return file.read()
        asset_id = upload.request.asset(name)
        if asset_id is None:
            return None
        return self._assets.read(caller.tenant, asset_id, AssetKind(name))

    def _check(self, job: Job, portrait: bytes | None, audio: bytes | None) -> Job:
        """Return the job with the properties of its valid inputs."""
        if portrait is not None:
            self._decoder.check_portrait(portrait)
        if audio is None:
            return job
        speech = self._decoder.check_speech(audio, self._settings.audio_max_seconds)
        return job.model_copy(update={"audio_seconds": speech.duration})

    def _keep(self, job: Job, portrait: bytes | None, audio: bytes | None) -> None:
        if portrait is not None:
            self._storage.put(portrait_key(job.id), portrait, UNKNOWN_TYPE)
        if audio is not None:
            self._storage.put(audio_key(job.id), audio, UNKNOWN_TYPE)
        # Written last, so that a journal entry proves that the files exist.
        self._storage.put(request_key(job.id), job.model_dump_json().encode(), "application/json")

    def _withdraw(self, job: Job) -> None:
        """Remove all data of a rejected job, as far as outages allow.

        An unavailable store may still hold a record. If an Idempotency-Key leads to it, a repeated
        request returns that job, so its files must be kept.
        """
        is_forgotten = self._undo(job, self._forget)
        if is_forgotten or job.idempotency is None:
            self._undo(job, self._discard)

    def _undo(self, job: Job, step: Callable[[Job], None]) -> bool:
        try:
            step(job)
        except Unavailable as error:
            _warn("A rejected job could not be rolled back completely", job, error)
            return False
        return True

    def _forget(self, job: Job) -> None:
        # There is a record only if it was written and the response was lost.
        with suppress(JobNotFound):
            self._store.delete(job.id)
        # Not while there may be a record: the key's next owner would create a second job.
        self._release(job)

    def _release(self, job: Job) -> None:
        if job.idempotency is not None:
            self._store.release(job)

    def _discard(self, job: Job) -> None:
        self._storage.delete_prefix(job_prefix(job.id))

    def _dispatch(self, job: Job) -> None:
        """Dispatch the job; if that fails, it stays in the outbox for the reconciler."""
        try:
            self._queue.dispatch(job.id, job.priority)
            self._store.mark_dispatched(job.id)
        except Unavailable as error:
            _warn("An accepted job could not be dispatched yet", job, error)


def _require_connected(is_abandoned: Callable[[], bool]) -> None:
    if is_abandoned():
        raise ClientDisconnect


def _warn(message: str, job: Job, error: Exception) -> None:
    logger.warning(message, extra={"fields": {"job_id": job.id, "reason": str(error)}})
