"""What can go wrong with a job's record, files and messages.

JobsError
├── JobNotFound
├── RecordUnreadable      it is damaged, or of a later version than this program
├── InvalidTransition     the job's state does not allow the move
│   └── StaleAttempt      the worker that speaks has lost the job to another
├── ObjectNotFound
├── KeyNotFound
├── KeyInvalid            a token opens nothing
├── LimitReached          the key may do no more for now
│   ├── TooManyJobs
│   ├── QuotaExceeded
│   └── AssetRoomUsedUp
├── IdempotencyKeyTaken   another request holds the key that this one carries
├── CursorInvalid         a page's cursor is none of ours
├── AssetNotFound
├── AssetNotUploaded          announced, but its file has not come
├── UrlRefused                it is not accepted, or leads where none may lead
└── Unavailable           a component cannot be reached; trying again may help
    ├── StoreUnavailable
    ├── StorageUnavailable
    └── QueueUnavailable
"""

from datetime import timedelta


class JobsError(Exception):
    """Anything the contract refuses or cannot do."""


class JobNotFound(JobsError):
    """No job has this id."""


class RecordUnreadable(JobsError):
    """A job's record is damaged, or of a later version than this program."""


class InvalidTransition(JobsError):
    """The job's state does not allow the move."""


class StaleAttempt(InvalidTransition):
    """The worker that speaks has lost the job: its lease ran out, or the job ended."""


class ObjectNotFound(JobsError):
    """No object lies under this key."""


class IdempotencyKeyTaken(JobsError):
    """Another request holds the key that this one carries."""


class CursorInvalid(JobsError):
    """A page's cursor is none of ours."""


class AssetNotFound(JobsError):
    """The tenant has no such asset."""


class AssetNotUploaded(JobsError):
    """The asset was announced, but its file has not come."""


class KeyNotFound(JobsError):
    """No API key has this id."""


class KeyInvalid(JobsError):
    """A token is no key's, or its key has expired or was revoked."""


class LimitReached(JobsError):
    """The API key may do no more for now."""


class TooManyJobs(LimitReached):
    """As many jobs of the key as may be are under way."""

    def __init__(self, ceiling: int) -> None:
        super().__init__(f"The key has {ceiling} jobs under way; no more are accepted at a time.")


class QuotaExceeded(LimitReached):
    """The key made as many jobs today as it may; `wait` is the time until tomorrow, by UTC."""

    def __init__(self, ceiling: int, wait: timedelta) -> None:
        super().__init__(f"The key made {ceiling} jobs today; no more are accepted on a day.")
        self.wait = wait


class AssetRoomUsedUp(LimitReached):
    """The tenant's assets take up the room there is; `wait` is the time until one expires."""

    def __init__(self, taken: int, max_bytes: int, wait: timedelta) -> None:
        super().__init__(
            f"The assets of the last 24 hours take up {taken} bytes; at most {max_bytes} are "
            "granted."
        )
        self.wait = wait


class UrlRefused(JobsError):
    """The URL is not accepted, or leads where none may lead."""


class Unavailable(JobsError):
    """A component cannot be reached; trying again may help."""


class StoreUnavailable(Unavailable):
    """Valkey does not answer."""


class StorageUnavailable(Unavailable):
    """The object store does not answer."""


class QueueUnavailable(Unavailable):
    """The broker takes no message."""
