"""Where the records lie: the keys in Valkey.

    amigo:job:{id}              the record: the job as JSON
    amigo:job:{id}:events       stream: the job after each change, until an hour after its end
    amigo:jobs:queued           sorted set: ids by the time they were queued
    amigo:jobs:processing       sorted set: ids by the time their lease runs out
    amigo:jobs:{final state}    sorted sets: ids by the time they ended
    amigo:queue:{priority}      sorted sets: queued ids by the time they were queued
    amigo:tenant:{tenant}:jobs  sorted set: a tenant's ids by the time they were created
    amigo:runs                  list: how long the last finished jobs took, newest first
    amigo:outbox                sorted set: queued ids by the time their message is due (again)
    amigo:spent                 sorted set: ended and deleted ids by the time their leftovers
                                may be cleared
    amigo:job:{id}:gone         there for an hour after all that was left of a job was cleared
    amigo:leader                who runs the reconciler
    amigo:journal:read          there while the journal needs no reading
    amigo:changes               channel: the id of every job that changes or is deleted

Times are microseconds since the epoch on Valkey's own clock; no other clock counts. More keys are
told of where they are used: in `keys`, `usage`, `asset_room`, `idempotency` and `webhooks`.
"""

from jobs.job import JobStatus, Priority

RUNS = "amigo:runs"
OUTBOX = "amigo:outbox"
SPENT = "amigo:spent"
LEADER = "amigo:leader"
JOURNAL_READ = "amigo:journal:read"
CHANGES = "amigo:changes"


def record_key(job_id: str) -> str:
    """Return the key of a job's record."""
    return f"amigo:job:{job_id}"


def events_key(job_id: str) -> str:
    """Return the key of a job's event stream."""
    return f"amigo:job:{job_id}:events"


def gone_key(job_id: str) -> str:
    """Return the key that tells that a job's journal entry is not to be restored any more."""
    return f"amigo:job:{job_id}:gone"


def index_key(status: JobStatus) -> str:
    """Return the key of the index of the jobs in one state."""
    return f"amigo:jobs:{status}"


def queue_key(priority: Priority) -> str:
    """Return the key of the queued jobs of one priority."""
    return f"amigo:queue:{priority}"


def tenant_key(tenant: str) -> str:
    """Return the key of the index of a tenant's jobs."""
    return f"amigo:tenant:{tenant}:jobs"
