"""Errors concerning a job's record, files and messages.

JobsError
├── JobNotFound
├── RecordUnreadable      the record is damaged or was written by a later version
├── InvalidTransition     the job's state does not allow the transition
│   └── StaleAttempt      the attempt no longer owns the job
├── JobChanged            the job is not in the version that the caller expects
├── ObjectNotFound
├── KeyNotFound
├── KeyInvalid            the API key is unknown, expired or revoked
├── LimitReached          a limit of the API key is reached for now
│   ├── TooManyJobs
│   ├── QuotaExceeded
│   └── AssetQuotaExceeded
├── IdempotencyKeyTaken   another request owns the Idempotency-Key
├── CursorInvalid         the pagination cursor is invalid
├── AssetNotFound
├── AssetNotUploaded      the asset is registered, but its file is missing
├── UrlRefused            the URL is not allowed, or leads to an address that is not
└── Unavailable           a component is unavailable; a retry may help
    ├── StoreUnavailable
    │   └── StoreReadOnly     it responds, but refuses writes
    ├── StorageUnavailable
    └── QueueUnavailable
"""

from datetime import timedelta


class JobsError(Exception):
    """Base class of the errors of this package."""


class JobNotFound(JobsError):
    """There is no job with this id."""


class RecordUnreadable(JobsError):
    """A job's record is damaged or was written by a later version of the program."""


class InvalidTransition(JobsError):
    """The job's state does not allow the transition."""


class StaleAttempt(InvalidTransition):
    """The attempt no longer owns the job: its lease expired, or the job ended."""


class JobChanged(JobsError):
    """The job is not in the version that the caller expects."""


class ObjectNotFound(JobsError):
    """There is no object with this key."""


class IdempotencyKeyTaken(JobsError):
    """Another request owns the Idempotency-Key."""


class CursorInvalid(JobsError):
    """The pagination cursor is invalid."""


class AssetNotFound(JobsError):
    """The tenant has no such asset."""


class AssetNotUploaded(JobsError):
    """The asset is registered, but its file has not been uploaded."""


class KeyNotFound(JobsError):
    """There is no API key with this id."""


class KeyInvalid(JobsError):
    """The token does not belong to an API key, or the key has expired or was revoked."""


class LimitReached(JobsError):
    """A limit of the API key is reached for now."""


class TooManyJobs(LimitReached):
    """The API key has reached its limit of concurrent jobs."""

    def __init__(self, ceiling: int) -> None:
        super().__init__(f"The API key has reached its limit of {ceiling} unfinished jobs.")


class QuotaExceeded(LimitReached):
    """The API key has reached its daily limit of jobs; `wait` is the time until midnight UTC."""

    def __init__(self, ceiling: int, wait: timedelta) -> None:
        super().__init__(f"The API key has reached its limit of {ceiling} jobs a day.")
        self.wait = wait


class AssetQuotaExceeded(LimitReached):
    """The tenant's asset quota is used up; `wait` is the time until an asset expires."""

    def __init__(self, taken: int, max_bytes: int, wait: timedelta) -> None:
        super().__init__(
            f"The assets of the last 24 hours take up {taken} bytes; the quota is {max_bytes}."
        )
        self.wait = wait


class UrlRefused(JobsError):
    """The URL is not allowed, or leads to an address that is not allowed."""


class Unavailable(JobsError):
    """A component is unavailable; a retry may help."""


class StoreUnavailable(Unavailable):
    """Valkey does not respond."""


class StoreReadOnly(StoreUnavailable):
    """Valkey responds, but refuses writes: it is full, a replica, or cannot save to its disk."""


class StorageUnavailable(Unavailable):
    """The object store does not respond."""


class QueueUnavailable(Unavailable):
    """The broker does not accept messages."""
