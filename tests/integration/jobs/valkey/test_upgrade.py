"""Jobs in flight while the system is upgraded, or goes back: records of other versions."""

import json
from typing import Any

import pytest
from redis import Redis

from jobs.job import Job, JobStatus, Stage
from jobs.valkey.job_store import JobStore
from jobs.valkey.keys import record_key
from tests.jobs_examples import new_job, result_of

OLDER: dict[str, Any] = {
    "tenant": "acme",
    "key_id": "5f0e3a521f6e4b4e",
    "status": "queued",
    "priority": "normal",
    "options": {
        "emotion": "anger",
        "intensity": 1.0,
        "pose": "natural",
        "blink": True,
        "eyes": "open",
        "compose": "crop",
        "resolution": 512,
        "seed": 0,
        "mark": False,
        "consent": True,
    },
    "consent": {"affirmed_at": "2026-11-26T12:00:00.442568Z", "version": "1"},
    "metadata": {},
    "portrait_url": None,
    "audio_url": None,
    "audio_seconds": 6.8,
    "webhook_url": "https://example.org/hook",
    "webhook_events": [],
    "idempotency": None,
    "created_at": "2026-11-26T12:00:00.442568Z",
    "updated_at": "2026-11-26T12:00:00.442568Z",
    "claimed_at": None,
    "attempt": 0,
    "handed_back": 0,
    "outages": 0,
    "lost": 0,
    "stage": None,
    "progress": 0.0,
    "notices": [],
    "failure": None,
    "result": None,
}
"""A record as written before jobs had a trace context and a choice of faces. Never change it."""

NEWER: dict[str, Any] = {
    **OLDER,
    "options": {**OLDER["options"], "an_option_of_tomorrow": "x"},
    "consent": {**OLDER["consent"], "witness": "x"},
    "a_field_of_tomorrow": {"nested": [1]},
}


@pytest.mark.parametrize("record", [OLDER, NEWER], ids=["older", "newer"])
def test_a_job_recorded_by_another_version_is_processed(
    store: JobStore, valkey_url: str, record: dict[str, Any]
) -> None:
    job_id = new_job().id
    store.accept(Job.read(json.dumps({**OLDER, "id": job_id})))
    with Redis.from_url(valkey_url) as client:
        client.set(record_key(job_id), json.dumps({**record, "id": job_id}))

    claimed = store.claim(job_id)
    store.advance(job_id, claimed.attempt, Stage.RENDERING, 0.5)
    ended = store.finish(job_id, claimed.attempt, result_of(job_id, claimed.attempt))

    assert ended.status is JobStatus.SUCCEEDED
    assert (ended.tenant, ended.options.emotion) == ("acme", "anger")
    assert store.get(job_id) == ended
