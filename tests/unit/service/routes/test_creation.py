"""The ways to request a job, apart from an upload of two files."""

import json
from typing import Any

import pytest
from starlette.testclient import TestClient

from jobs.assets import Asset, AssetKind
from jobs.errors import StoreUnavailable
from jobs.job import Job, Priority
from jobs.options import Options
from jobs.s3.assets import record_key
from jobs.s3.paths import audio_key, portrait_key, request_key
from service.problems import ProblemType
from tests.fakes.backstage import Backstage
from tests.jobs_examples import FAILURE
from tests.service_examples import portrait, speech, upload
from tests.unit.service.assertions import assert_problem

FACE, SPEECH = "https://example.org/face.jpg", "https://example.org/speech.wav"
REQUEST = {"portrait_url": FACE, "audio_url": SPEECH, "consent": True}


def made(backstage: Backstage, response: Any) -> Job:
    assert response.status_code == 202, response.text
    return backstage.store.jobs[response.json()["id"]]


def in_storage(backstage: Backstage, kind: AssetKind, content: bytes | None) -> str:
    """Register an asset of the local tenant, and upload it unless it is None."""
    asset = Asset.create("local", kind, 100, "application/octet-stream")
    backstage.storage.contents[record_key("local", asset.id)] = asset.model_dump_json().encode()
    if content is not None:
        backstage.storage.contents[asset.key] = content
    return asset.id


def test_a_job_from_urls_keeps_what_a_worker_has_to_fetch(
    http: TestClient, backstage: Backstage
) -> None:
    job = made(backstage, http.post("/v1/jobs", json=REQUEST))
    assert (job.portrait_url, job.audio_url, job.audio_seconds) == (FACE, SPEECH, None)
    assert set(backstage.storage.contents) == {request_key(job.id)}
    assert backstage.queue.messages == [job.id]


def test_one_input_may_be_a_file_and_the_other_a_url(
    http: TestClient, backstage: Backstage
) -> None:
    job = made(backstage, http.post("/v1/jobs", files=upload(portrait=None, portrait_url=FACE)))
    assert (job.portrait_url, job.audio_url, job.audio_seconds) == (FACE, None, 1.0)
    assert set(backstage.storage.contents) == {audio_key(job.id), request_key(job.id)}


def test_a_job_from_assets_keeps_a_copy_of_both(http: TestClient, backstage: Backstage) -> None:
    face = in_storage(backstage, AssetKind.PORTRAIT, portrait())
    voice = in_storage(backstage, AssetKind.AUDIO, speech())
    request = {"portrait_asset": face, "audio_asset": voice, "consent": True}
    job = made(backstage, http.post("/v1/jobs", json=request))
    assert backstage.storage.contents[portrait_key(job.id)] == portrait()
    assert backstage.storage.contents[audio_key(job.id)] == speech()
    assert job.audio_seconds == 1.0


@pytest.mark.parametrize(
    ("content", "problem"),
    [(b"no picture", ProblemType.PORTRAIT_UNREADABLE), (None, ProblemType.ASSET_NOT_UPLOADED)],
)
def test_an_asset_is_checked_like_an_upload(
    http: TestClient, backstage: Backstage, content: bytes | None, problem: ProblemType
) -> None:
    face = in_storage(backstage, AssetKind.PORTRAIT, content)
    request = {"portrait_asset": face, "audio_url": SPEECH, "consent": True}
    assert_problem(http.post("/v1/jobs", json=request), problem)
    assert not backstage.store.jobs


def test_json_and_a_form_create_the_same_job(http: TestClient, backstage: Backstage) -> None:
    options = {"emotion": "fear", "intensity": 1.5, "blink": False, "seed": 7, "compose": "full"}
    more = {
        "priority": "high",
        "metadata": {"order": "4711"},
        "webhook_url": "https://example.org/hook",
    }
    body = {**REQUEST, **options, **more}
    from_json = made(backstage, http.post("/v1/jobs", json=body))
    texts = {name: v if isinstance(v, str) else json.dumps(v) for name, v in body.items()}
    form = {name: (None, text) for name, text in texts.items()}
    from_form = made(backstage, http.post("/v1/jobs", files=form))
    for job in (from_json, from_form):
        assert job.options == Options(consent=True, **options)
        assert (job.priority, job.metadata) == (Priority.HIGH, {"order": "4711"})
        assert job.webhook_url == "https://example.org/hook"


def test_a_job_carries_the_trace_of_its_request_if_there_is_one(
    http: TestClient, backstage: Backstage
) -> None:
    traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    with_trace = http.post("/v1/jobs", files=upload(), headers={"traceparent": traceparent})
    assert made(backstage, with_trace).traceparent == traceparent
    assert "traceparent" not in with_trace.json()
    assert made(backstage, http.post("/v1/jobs", files=upload())).traceparent is None


def test_a_repeated_request_returns_its_job(http: TestClient, backstage: Backstage) -> None:
    headers = {"Idempotency-Key": "order-4711"}
    first = http.post("/v1/jobs", files=upload(), headers=headers)
    again = http.post("/v1/jobs", files=upload(seed="0"), headers=headers)
    assert made(backstage, first) == made(backstage, again)
    assert "idempotent-replayed" not in first.headers
    assert again.headers["idempotent-replayed"] == "true"
    assert again.headers["location"] == first.headers["location"]
    assert len(backstage.store.jobs) == 1
    assert len(backstage.storage.contents) == 3


@pytest.mark.parametrize(
    "other", [{"seed": "1"}, {"portrait": portrait(64)}, {"metadata": '{"order": "2"}'}]
)
def test_a_key_cannot_be_used_for_a_different_request(
    http: TestClient, backstage: Backstage, other: dict[str, Any]
) -> None:
    headers = {"Idempotency-Key": "order-4711"}
    http.post("/v1/jobs", files=upload(), headers=headers)
    response = http.post("/v1/jobs", files=upload(**other), headers=headers)
    assert_problem(response, ProblemType.IDEMPOTENCY_CONFLICT, "a new key")
    assert len(backstage.store.jobs) == 1


def test_a_rejected_request_releases_its_key(http: TestClient, backstage: Backstage) -> None:
    headers = {"Idempotency-Key": "order-4711"}
    bad = http.post("/v1/jobs", files=upload(portrait=b"no picture"), headers=headers)
    assert_problem(bad, ProblemType.PORTRAIT_UNREADABLE)
    backstage.storage.refuses = "audio"
    late = http.post("/v1/jobs", files=upload(), headers=headers)
    assert_problem(late, ProblemType.STORAGE_UNAVAILABLE)
    backstage.storage.refuses = None
    assert http.post("/v1/jobs", files=upload(), headers=headers).status_code == 202


def test_a_key_is_not_released_while_its_job_may_exist(
    http: TestClient, backstage: Backstage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lose_answer(job_id: str) -> None:
        raise StoreUnavailable("connection reset")

    headers = {"Idempotency-Key": "order-4711"}
    backstage.store.loses_answer_to_accept = True
    monkeypatch.setattr(backstage.store, "delete", lose_answer)
    refused = http.post("/v1/jobs", files=upload(), headers=headers)
    assert_problem(refused, ProblemType.STORE_UNAVAILABLE)
    backstage.store.loses_answer_to_accept = False
    again = http.post("/v1/jobs", files=upload(), headers=headers)
    assert again.headers["idempotent-replayed"] == "true"
    assert list(backstage.store.jobs) == [again.json()["id"]]


def test_a_key_whose_job_was_deleted_creates_no_other_job(http: TestClient) -> None:
    headers = {"Idempotency-Key": "order-4711"}
    location = http.post("/v1/jobs", files=upload(), headers=headers).headers["location"]
    http.delete(location)
    response = http.post("/v1/jobs", files=upload(), headers=headers)
    assert_problem(response, ProblemType.JOB_NOT_FOUND, "was deleted")


def test_a_request_waits_for_the_earlier_one_for_a_limited_time(
    http: TestClient, backstage: Backstage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service.intake.submissions.KEY_WAIT", 0.0)
    headers = {"Idempotency-Key": "order-4711"}
    http.post("/v1/jobs", files=upload(), headers=headers)
    holder = backstage.store.holders["order-4711"]
    # As it is before the job is accepted.
    backstage.store.holders["order-4711"] = holder.model_copy(update={"is_confirmed": False})
    response = http.post("/v1/jobs", files=upload(), headers=headers)
    assert_problem(response, ProblemType.IDEMPOTENCY_IN_PROGRESS, "still in progress")
    assert response.headers["retry-after"] == "5"


def test_prefer_wait_returns_202_if_the_job_has_not_ended(
    http: TestClient, backstage: Backstage
) -> None:
    response = http.post("/v1/jobs", files=upload(), headers={"Prefer": "wait=1"})
    assert made(backstage, response)
    assert response.headers["preference-applied"] == "wait=1"
    assert response.headers["retry-after"] == "1"


def test_prefer_wait_returns_the_ended_job(http: TestClient, backstage: Backstage) -> None:
    key = {"Idempotency-Key": "order-4711"}
    job = made(backstage, http.post("/v1/jobs", files=upload(), headers=key))
    claimed = job.claim(job.created_at)
    backstage.store.jobs[job.id] = claimed.fail(1, FAILURE, job.created_at)
    headers = {**key, "Prefer": "wait=100"}
    response = http.post("/v1/jobs", files=upload(), headers=headers)
    assert (response.status_code, response.json()["status"]) == (200, "failed")
    assert response.headers["preference-applied"] == "wait=60"
    assert response.headers["location"] == response.json()["links"]["self"]
    assert "retry-after" not in response.headers


def test_each_request_of_a_batch_is_validated_separately_in_order(
    http: TestClient, backstage: Backstage
) -> None:
    batch = [REQUEST, {**REQUEST, "seed": -1}, {"consent": True}, {**REQUEST, "seed": 2}]
    response = http.post("/v1/jobs/batch", json={"jobs": batch})
    assert response.status_code == 200
    results = response.json()["results"]
    assert [result["status"] for result in results] == [202, 422, 422, 202]
    problems = [results[n]["problem"] for n in (1, 2)]
    assert [problem["code"] for problem in problems] == ["invalid_option", "missing_part"]
    assert list(problems[0]["options"]) == ["seed"]
    assert problems[0]["instance"] == f"urn:uuid:{response.headers['x-request-id']}"
    jobs = [backstage.store.jobs[results[n]["job"]["id"]] for n in (0, 3)]
    assert [job.options.seed for job in jobs] == [0, 2]
    assert backstage.queue.messages == [job.id for job in jobs]


def test_a_repeated_batch_creates_only_the_missing_jobs(
    http: TestClient, backstage: Backstage
) -> None:
    headers = {"Idempotency-Key": "orders"}
    two = [REQUEST, {**REQUEST, "seed": 1}]
    first = http.post("/v1/jobs/batch", json={"jobs": two}, headers=headers).json()["results"]
    del backstage.store.jobs[first[1]["job"]["id"]]  # as if it had not come that far
    del backstage.store.holders["orders 1"]
    again = http.post("/v1/jobs/batch", json={"jobs": two}, headers=headers).json()["results"]
    assert again[0] == first[0]
    assert again[1]["job"]["id"] != first[1]["job"]["id"]
    assert len(backstage.store.jobs) == 2


def test_a_batch_does_not_retry_an_unavailable_component(
    http: TestClient, backstage: Backstage
) -> None:
    backstage.store.goes_down_after_accept = True
    response = http.post("/v1/jobs/batch", json={"jobs": [REQUEST] * 4})
    results = response.json()["results"]
    assert [result["status"] for result in results] == [202, 503, 503, 503]
    assert results[3]["problem"]["code"] == "store_unavailable"
    assert len(backstage.store.jobs) == 1


def test_a_batch_accepts_only_json(http: TestClient) -> None:
    response = http.post("/v1/jobs/batch", files=upload())
    assert_problem(response, ProblemType.UNSUPPORTED_MEDIA_TYPE, "accepted: application/json")


@pytest.mark.parametrize(
    ("given", "events"),
    [
        ("job.failed", ["job.failed"]),
        ("job.failed, job.canceled", ["job.failed", "job.canceled"]),
        ('["job.succeeded"]', ["job.succeeded"]),
        ("", []),
    ],
)
def test_the_events_of_a_webhook_are_a_list_in_a_form_and_in_json(
    http: TestClient, backstage: Backstage, given: str, events: list[str]
) -> None:
    job = made(backstage, http.post("/v1/jobs", files=upload(webhook_events=given)))
    assert list(job.webhook_events) == events
    request = {**REQUEST, "webhook_events": events}
    assert list(made(backstage, http.post("/v1/jobs/json", json=request)).webhook_events) == events
    refused = http.post("/v1/jobs", files=upload(webhook_events="job.started"))
    assert_problem(refused, ProblemType.INVALID_OPTION, "webhook_events")
