"""What callers ask about jobs, in one round trip: record, queue position, delivery, recent runs."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from string import Template
from typing import cast

from pydantic_core import from_json
from redis import Redis

from jobs.eta import Estimate
from jobs.job import Job, JobStatus, Priority
from jobs.valkey.connection import clock_time, translated_errors
from jobs.valkey.keys import RUNS, index_key, queue_key, record_key
from jobs.valkey.records import BATCH, parse_known, parse_record
from jobs.valkey.webhook_outbox import Delivery, delivery_key

_ID = "' .. job_id .. '"

# ARGV: ids of jobs. The reply is one JSON string, which a client parses faster than many parts.
_SCRIPT = Template("""#!lua flags=no-writes
local jobs, has_queued, is_active = {}, false, false
for i, job_id in ipairs(ARGV) do
  local position, ahead = false, 0
  for _, queue in ipairs({$queues}) do
    local rank = redis.call('ZRANK', queue, job_id)
    if rank then
      position = ahead + rank + 1
      break
    end
    ahead = ahead + redis.call('ZCARD', queue)
  end
  has_queued = has_queued or position
  is_active = is_active or position or redis.call('ZSCORE', $processing, job_id)
  jobs[i] = {redis.call('GET', $record), position, redis.call('GET', $delivery)}
end
local processing = {}
if has_queued then
  for i, job_id in ipairs(redis.call('ZRANGE', $processing, 0, $batch - 1)) do
    processing[i] = redis.call('GET', $record)
  end
end
local runs = is_active and redis.call('LRANGE', $runs, 0, -1) or {}
return cjson.encode({jobs, processing, runs, redis.call('TIME')})
""").substitute(
    queues=", ".join(f"'{queue_key(priority)}'" for priority in Priority),
    processing=f"'{index_key(JobStatus.PROCESSING)}'",
    record=f"'{record_key(_ID)}'",
    delivery=f"'{delivery_key(_ID)}'",
    runs=f"'{RUNS}'",
    batch=BATCH,
)


@dataclass(frozen=True)
class Reading:
    """A job as it was at one moment.

    Attributes:
        job: the job.
        record: its record, which changes whenever the job does.
        estimate: its queue position, and what its ETA is estimated from.
        delivery: the state of its webhook's delivery; None before it is due, or without one.
    """

    job: Job
    record: str
    estimate: Estimate
    delivery: Delivery | None = None


class Readings:
    """Reads jobs with a script, which is loaded on first use and also runs if Valkey is full."""

    def __init__(self, client: Redis) -> None:
        self._script = client.register_script(_SCRIPT)

    def read(self, job_ids: Sequence[str]) -> list[Reading]:
        """Return those of the jobs that exist, in the same order.

        Raises:
            StoreUnavailable: Valkey does not respond.
            RecordUnreadable: a record cannot be read.
        """
        if not job_ids:
            return []
        with translated_errors():
            response = self._script(args=list(job_ids))
        jobs, processing, runs, time = from_json(cast("str", response))
        others = tuple(parse_known(list(processing)))  # an empty list comes as an empty object
        now = clock_time(*map(int, time))
        past = tuple(runs)
        return [
            _reading(record, position or None, delivery or None, others, past, now)
            for record, position, delivery in jobs
            if record
        ]


def _reading(
    record: str,
    position: int | None,
    delivery: str | None,
    processing: tuple[Job, ...],
    runs: tuple[str, ...],
    now: datetime,
) -> Reading:
    return Reading(
        parse_record(record),
        record,
        Estimate(position, () if position is None else processing, runs, now),
        Delivery.model_validate_json(delivery) if delivery else None,
    )
