"""What can go wrong with a job's record, files and messages.

JobsError
├── JobNotFound
├── InvalidTransition     the job's state does not allow the move
│   └── StaleAttempt      the worker that speaks has lost the job to another
├── ObjectNotFound
├── AssetNotFound
├── AssetNotUploaded          announced, but its file has not come
└── Unavailable           a component cannot be reached; trying again may help
    ├── StoreUnavailable
    ├── StorageUnavailable
    └── QueueUnavailable
"""


class JobsError(Exception):
    """Anything the contract refuses or cannot do."""


class JobNotFound(JobsError):
    """No job has this id."""


class InvalidTransition(JobsError):
    """The job's state does not allow the move."""


class StaleAttempt(InvalidTransition):
    """The worker that speaks has lost the job: its lease ran out, or the job ended."""


class ObjectNotFound(JobsError):
    """No object lies under this key."""


class AssetNotFound(JobsError):
    """The tenant has no such asset."""


class AssetNotUploaded(JobsError):
    """The asset was announced, but its file has not come."""


class Unavailable(JobsError):
    """A component cannot be reached; trying again may help."""


class StoreUnavailable(Unavailable):
    """Valkey does not answer."""


class StorageUnavailable(Unavailable):
    """The object store does not answer."""


class QueueUnavailable(Unavailable):
    """The broker takes no message."""
