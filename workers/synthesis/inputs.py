"""A job's portrait and speech: already stored, or fetched from the caller's URLs."""

import asyncio
import logging
from dataclasses import dataclass

from tenacity import Retrying, retry_if_exception, stop_after_attempt, wait_random_exponential

from jobs.errors import ObjectNotFound
from jobs.job import Job
from jobs.s3.object_store import UNKNOWN_TYPE, ObjectStorage
from jobs.s3.paths import audio_key, portrait_key
from jobs.values import Failure
from workers.safe_http import Outbound, OutboundError, UrlUnreachable
from workers.synthesis.retry_policy import RetryPolicy
from workers.synthesis.settings import WorkerSettings

logger = logging.getLogger(__name__)

MAX_TRIES = 3
FIRST_PAUSE = 0.5
"""Maximum seconds before the second try; each later delay may be twice as long."""


class InputNotFetched(Exception):
    """An input could not be fetched from the caller's URL; the job fails with this error."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.message)
        self.failure = failure


@dataclass(frozen=True)
class Inputs:
    """Source of the portraits and the speech of jobs.

    Raises (every method):
        InputNotFetched: the caller's URL does not return the file.
        ObjectNotFound: a stored input is missing.
        StorageUnavailable: the object store does not respond.
    """

    storage: ObjectStorage
    outbound: Outbound
    retries: RetryPolicy
    settings: WorkerSettings

    def portrait(self, job: Job) -> bytes:
        """Return the portrait's file."""
        max_bytes = self.settings.portrait_max_bytes
        return self._load(portrait_key(job.id), job.portrait_url, max_bytes)

    def audio(self, job: Job) -> bytes:
        """Return the driving audio's file."""
        return self._load(audio_key(job.id), job.audio_url, self.settings.audio_max_bytes)

    def _load(self, key: str, url: str | None, max_bytes: int) -> bytes:
        """Return a file, without fetching again what an earlier attempt has fetched."""
        try:
            return self.retries.call(lambda: self.storage.get(key))
        except ObjectNotFound:
            if url is None:
                raise
        file = self._fetch(key, url, max_bytes)
        self.retries.call(lambda: self.storage.put(key, file, UNKNOWN_TYPE))
        return file

    def _fetch(self, key: str, url: str, max_bytes: int) -> bytes:
        tries = Retrying(
            stop=stop_after_attempt(MAX_TRIES),
            wait=wait_random_exponential(FIRST_PAUSE),
            retry=retry_if_exception(_may_pass),
            reraise=True,
        )
        seconds = self.settings.fetch_seconds
        try:
            file: bytes = tries(lambda: asyncio.run(self.outbound.fetch(url, max_bytes, seconds)))
        except OutboundError as error:
            name = key.rpartition("/")[2]
            message = f"The {name} could not be fetched from its URL. {error}"
            raise InputNotFetched(Failure(code=error.code, message=message)) from error
        logger.info("%s fetched: %d bytes", key, len(file))
        return file


def _may_pass(error: BaseException) -> bool:
    return isinstance(error, UrlUnreachable) and error.may_pass
