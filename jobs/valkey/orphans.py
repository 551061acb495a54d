"""Orphans: jobs that have objects in the bucket but no record, and when to look at them again.

    amigo:orphans:new   sorted set: ids whose request may still be under way
    amigo:orphans:old   sorted set: ids that have no journal entry: only their objects are left

Both are ordered by the time of the object that decides.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import cast

from redis import Redis

from jobs.valkey.connection import score, translated_errors
from jobs.valkey.keys import record_key
from jobs.valkey.records import BATCH

NEW = "amigo:orphans:new"
OLD = "amigo:orphans:old"


class Orphans:
    """The orphans that a reconciler has found. Every method may raise StoreUnavailable."""

    def __init__(self, client: Redis) -> None:
        self._client = client

    def among(self, job_ids: Sequence[str]) -> list[str]:
        """Return the ids that have no record."""
        with translated_errors(), self._client.pipeline(transaction=False) as pipe:
            for job_id in job_ids:
                pipe.exists(record_key(job_id))
            found = pipe.execute()
        return [job_id for job_id, is_there in zip(job_ids, found, strict=True) if not is_there]

    def not_noted(self, job_ids: Sequence[str]) -> list[str]:
        """Return the ids that are not noted, in their order."""
        if not job_ids:
            return []
        with translated_errors(), self._client.pipeline(transaction=False) as pipe:
            for notes in (NEW, OLD):
                pipe.zmscore(notes, list(job_ids))
            times = zip(*pipe.execute(), strict=True)
        return [job_id for job_id, found in zip(job_ids, times, strict=True) if not any(found)]

    def note(self, job_id: str, since: datetime, *, is_new: bool) -> None:
        """Note an orphan, new or old, with the time of the object that decides."""
        kept, left = (NEW, OLD) if is_new else (OLD, NEW)
        with translated_errors(), self._client.pipeline() as pipe:
            pipe.zadd(kept, {job_id: score(since)})
            pipe.zrem(left, job_id)
            pipe.execute()

    def forget(self, job_id: str) -> None:
        """Remove the note of a job, if there is one."""
        with translated_errors(), self._client.pipeline() as pipe:
            pipe.zrem(NEW, job_id)
            pipe.zrem(OLD, job_id)
            pipe.execute()

    def due(self, new: datetime, old: datetime) -> list[str]:
        """Return the new orphans noted with a time until `new`, and the old ones until `old`."""
        with translated_errors():
            found = [
                self._client.zrange(key, "-inf", score(until), byscore=True, offset=0, num=BATCH)
                for key, until in ((NEW, new), (OLD, old))
            ]
        return [job_id for ids in found for job_id in cast("list[str]", ids)]
