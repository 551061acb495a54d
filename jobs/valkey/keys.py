"""The keys in Valkey under which records are stored.

    amigo:job:{id}              the record: the job as JSON
    amigo:job:{id}:events       stream: the job after each change, until an hour after its end
    amigo:jobs:queued           sorted set: ids by the time they were queued
    amigo:jobs:processing       sorted set: ids by the time their lease expires
    amigo:jobs:{final state}    sorted sets: ids by the time they ended
    amigo:queue:{priority}      sorted sets: queued ids by the time they were queued
    amigo:tenant:{tenant}:jobs  sorted set: a tenant's ids by the time they were created
    amigo:runs                  list: durations of recent jobs, newest first
    amigo:outbox                sorted set: queued ids by the time their message is due (again)
    amigo:cleanups              sorted set: ended and deleted ids by the time their leftovers
                                may be deleted
    amigo:job:{id}:gone         exists for an hour after all leftovers of a job were cleared
    amigo:leader                the leading reconciler
    amigo:journal:read          exists while the journal need not be read
    amigo:journal:position      hash: how far the pass over the bucket has come
    amigo:probe                 written to find out whether Valkey accepts writes
    amigo:changes               channel: the id of every job that changes or is deleted

Times are microseconds since the epoch on Valkey's own clock; no other clock counts. Further keys
are documented where they are used: in `api_keys`, `quotas`, `asset_quota`, `idempotency`,
`orphans` and `webhook_outbox`.
"""

from jobs.job import JobStatus, Priority

RUNS = "amigo:runs"
OUTBOX = "amigo:outbox"
CLEANUPS = "amigo:cleanups"
LEADER = "amigo:leader"
JOURNAL_READ = "amigo:journal:read"
JOURNAL_POSITION = "amigo:journal:position"
CHANGES = "amigo:changes"
PROBE = "amigo:probe"


def record_key(job_id: str) -> str:
    """Return the key of a job's record."""
    return f"amigo:job:{job_id}"


def events_key(job_id: str) -> str:
    """Return the key of a job's event stream."""
    return f"amigo:job:{job_id}:events"


def gone_key(job_id: str) -> str:
    """Return the key that marks a job's journal entry as not to be restored."""
    return f"amigo:job:{job_id}:gone"


def index_key(status: JobStatus) -> str:
    """Return the key of the index of all jobs in one state."""
    return f"amigo:jobs:{status}"


def queue_key(priority: Priority) -> str:
    """Return the key of the queued jobs of one priority."""
    return f"amigo:queue:{priority}"


def tenant_key(tenant: str) -> str:
    """Return the key of the index of a tenant's jobs."""
    return f"amigo:tenant:{tenant}:jobs"
