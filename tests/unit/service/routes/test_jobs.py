"""A job from its POST to its DELETE, as seen by its caller."""

from datetime import UTC, datetime

import pytest
from starlette.testclient import TestClient

from jobs.consent import STATEMENT, VERSION
from jobs.job import Job, JobStatus, Stage
from jobs.options import Options
from jobs.s3.paths import audio_key, portrait_key, request_key
from service.problems import ProblemType
from tests.fakes.backstage import Backstage
from tests.jobs_examples import FAILURE, new_job, result_of
from tests.service_examples import portrait, speech, upload
from tests.unit.service.assertions import assert_problem

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def in_store(backstage: Backstage, job: Job) -> str:
    backstage.store.jobs[job.id] = job
    return f"/v1/jobs/{job.id}"


def test_an_upload_becomes_a_job_that_is_stored_accepted_and_dispatched(
    http: TestClient, backstage: Backstage
) -> None:
    options = {"emotion": "fear", "intensity": "1.5", "pose": "still", "blink": "no", "seed": "7"}
    options["mark"] = "true"
    response = http.post("/v1/jobs", files=upload(**options))
    assert response.status_code == 202
    job = backstage.store.jobs[response.json()["id"]]
    assert job.options == Options(
        emotion="fear", intensity=1.5, pose="still", blink=False, seed=7, mark=True, consent=True
    )
    assert backstage.storage.contents == {
        portrait_key(job.id): portrait(),
        audio_key(job.id): speech(),
        request_key(job.id): job.model_dump_json().encode(),
    }
    assert backstage.queue.messages == backstage.store.dispatched == [job.id]


def test_the_response_to_an_upload_is_the_job_and_its_location(http: TestClient) -> None:
    response = http.post("/v1/jobs", files=upload())
    assert response.headers["retry-after"] == "1"
    location = response.headers["location"]
    assert response.json()["links"] == {
        "self": location,
        "events": f"{location}/events",
        "cancel": f"{location}/cancel",
        "stream": None,
        "video": None,
        "poster": None,
        "landmarks": None,
    }
    assert http.get(location).json() == response.json()


@pytest.mark.parametrize("yes", ["true", "True", "1", "on", "yes"])
def test_consent_may_be_a_form_value(http: TestClient, yes: str) -> None:
    assert http.post("/v1/jobs", files=upload(consent=yes)).status_code == 202


def test_the_consent_is_stored_in_record_and_journal_and_returned(
    http: TestClient, backstage: Backstage
) -> None:
    told = http.post("/v1/jobs", files=upload()).json()
    job = backstage.store.jobs[told["id"]]
    assert job.consent is not None
    assert told["consent"] == {
        "affirmed_at": told["created_at"],
        "version": VERSION,
        "statement": STATEMENT,
        "key_id": None,
    }
    journaled = Job.model_validate_json(backstage.storage.contents[request_key(job.id)])
    assert journaled.consent == job.consent
    assert http.get(f"/v1/jobs/{job.id}").json()["consent"] == told["consent"]


def test_a_record_without_consent_is_returned_without_it(
    http: TestClient, backstage: Backstage
) -> None:
    path = in_store(backstage, new_job().model_copy(update={"consent": None}))
    assert http.get(path).json()["consent"] is None


def test_without_the_store_an_upload_is_rejected_and_leaves_nothing(
    http: TestClient, backstage: Backstage
) -> None:
    backstage.store.is_down = True
    response = http.post("/v1/jobs", files=upload())
    assert_problem(response, ProblemType.STORE_UNAVAILABLE)
    assert response.headers["retry-after"] == "5"
    assert not backstage.storage.contents


@pytest.mark.parametrize("part", ["portrait", "audio", "request.json"])
def test_if_any_object_cannot_be_stored_an_upload_is_rejected_and_leaves_nothing(
    http: TestClient, backstage: Backstage, part: str
) -> None:
    backstage.storage.refuses = part
    response = http.post("/v1/jobs", files=upload())
    assert_problem(response, ProblemType.STORAGE_UNAVAILABLE)
    assert response.headers["retry-after"] == "5"
    assert not backstage.storage.contents
    assert not backstage.store.jobs


def test_a_failed_rollback_does_not_change_the_rejection(
    http: TestClient, backstage: Backstage
) -> None:
    backstage.storage.refuses = "audio"
    backstage.storage.outages.of("delete_prefix", 1_000)
    backstage.store.is_down = True
    response = http.post("/v1/jobs", files=upload())
    assert_problem(response, ProblemType.STORAGE_UNAVAILABLE)


def test_a_record_whose_response_was_lost_is_rolled_back(
    http: TestClient, backstage: Backstage
) -> None:
    backstage.store.loses_answer_to_accept = True
    response = http.post("/v1/jobs", files=upload())
    assert_problem(response, ProblemType.STORE_UNAVAILABLE)
    assert not backstage.store.jobs
    assert not backstage.storage.contents


def test_files_of_a_possibly_recorded_job_with_a_key_are_kept(
    http: TestClient, backstage: Backstage
) -> None:
    backstage.store.loses_answer_to_accept = backstage.store.goes_down_after_accept = True
    response = http.post("/v1/jobs", files=upload(), headers={"Idempotency-Key": "order-4711"})
    assert_problem(response, ProblemType.STORE_UNAVAILABLE)
    assert len(backstage.store.jobs) == 1
    assert len(backstage.storage.contents) == 3


def test_without_the_broker_the_job_is_accepted_and_left_to_the_outbox(
    http: TestClient, backstage: Backstage
) -> None:
    backstage.queue.is_down = True
    response = http.post("/v1/jobs", files=upload())
    assert response.status_code == 202
    assert response.json()["id"] in backstage.store.jobs
    assert not backstage.store.dispatched


def test_a_store_outage_after_acceptance_does_not_change_the_202(
    http: TestClient, backstage: Backstage
) -> None:
    backstage.store.goes_down_after_accept = True
    response = http.post("/v1/jobs", files=upload())
    assert (response.status_code, response.json()["status"]) == (202, "queued")
    assert response.json()["id"] in backstage.store.jobs
    assert len(backstage.storage.contents) == 3


def test_a_queued_job_has_a_position(http: TestClient, backstage: Backstage) -> None:
    in_store(backstage, new_job())
    second = in_store(backstage, new_job())
    document = http.get(second).json()
    assert (document["status"], document["queue_position"]) == ("queued", 2)


def test_a_processing_job_reports_its_progress(http: TestClient, backstage: Backstage) -> None:
    job = new_job().claim(NOW).advance(1, Stage.RENDERING, 0.4, NOW)
    response = http.get(in_store(backstage, job))
    document = response.json()
    assert (document["stage"], document["progress"], document["attempt"]) == ("rendering", 0.4, 1)
    assert document["queue_position"] is None
    assert response.headers["retry-after"] == "2"


def test_a_succeeded_job_reports_the_emotion_and_links_to_the_video(
    http: TestClient, backstage: Backstage
) -> None:
    job = new_job()
    job = job.claim(NOW).succeed(1, result_of(job.id, 1), ("The face is small.",), NOW)
    path = in_store(backstage, job)
    response = http.get(path)
    document = response.json()
    assert document["emotion"] == {"emotion": "happiness", "probabilities": {"happiness": 0.9}}
    assert (document["duration"], document["num_frames"], document["progress"]) == (1.0, 25, 1.0)
    assert document["timings"] == {"render": 0.5}
    assert document["notices"] == ["The face is small."]
    assert document["links"] == {
        "self": path,
        "events": f"{path}/events",
        "cancel": None,
        "stream": None,
        "video": f"{path}/video",
        "poster": None,
        "landmarks": None,
    }
    assert "video_key" not in response.text
    assert "retry-after" not in response.headers


def test_an_unfinished_job_has_an_eta(http: TestClient, backstage: Backstage) -> None:
    path = in_store(backstage, new_job(audio_seconds=10.0))
    unknown = http.get(path).json()
    assert (unknown["eta"], unknown["eta_seconds"]) == (None, None)
    backstage.store.runs = ("10.0 30.0 crop-512", "20.0 60.0 crop-512")
    known = http.get(path).json()
    assert known["eta_seconds"] == 30.0
    left = datetime.fromisoformat(known["eta"]) - datetime.now(UTC)
    assert 0 < left.total_seconds() <= 31.0


def test_time_alone_does_not_change_the_etag(http: TestClient, backstage: Backstage) -> None:
    path = in_store(backstage, new_job(audio_seconds=10.0))
    tag = http.get(path).headers["etag"]
    backstage.store.runs = ("10.0 30.0 crop-512",)
    assert http.get(path, headers={"If-None-Match": tag}).status_code == 304


def test_an_ended_job_reports_when_it_expires(http: TestClient, backstage: Backstage) -> None:
    job = new_job()
    assert http.get(in_store(backstage, job)).json()["expires_at"] is None
    document = http.get(in_store(backstage, job.cancel(NOW))).json()
    assert document["expires_at"] == "2026-01-02T00:00:00Z"
    assert document["eta"] is None


def test_a_job_includes_its_metadata_and_its_webhook(
    http: TestClient, backstage: Backstage
) -> None:
    told = "https://example.com/told"
    url = f"{told}?token=secret"
    job = new_job(metadata={"order": "4711"}, priority="high", webhook_url=url)
    document = http.get(in_store(backstage, job)).json()
    assert (document["metadata"], document["priority"]) == ({"order": "4711"}, "high")
    assert document["webhook"] == {
        "url": told,
        "status": "pending",
        "attempts": 0,
        "reason": None,
        "events": ["job.succeeded", "job.failed", "job.canceled"],
    }


def test_a_wait_is_limited_to_a_minute(http: TestClient, backstage: Backstage) -> None:
    path = in_store(backstage, new_job().cancel(NOW))
    assert http.get(f"{path}?wait=60").status_code == 200
    assert_problem(http.get(f"{path}?wait=61"), ProblemType.INVALID_REQUEST, "wait")


def test_a_failed_job_reports_its_failure(http: TestClient, backstage: Backstage) -> None:
    document = http.get(in_store(backstage, new_job().claim(NOW).fail(1, FAILURE, NOW))).json()
    assert document["failure"] == {"code": "no_face", "message": "No face was found."}
    assert document["links"]["video"] is None


def test_an_unchanged_job_is_304(http: TestClient, backstage: Backstage) -> None:
    job = new_job()
    path = in_store(backstage, job)
    tag = http.get(path).headers["etag"]
    again = http.get(path, headers={"If-None-Match": tag})
    assert (again.status_code, again.content) == (304, b"")
    in_store(backstage, job.claim(NOW))
    assert http.get(path, headers={"If-None-Match": tag}).status_code == 200


@pytest.mark.parametrize("job_id", ["job_nobody_knows", "job_x:events", "%2e%2e", "jöb"])
@pytest.mark.parametrize(
    ("method", "rest"), [("GET", ""), ("DELETE", ""), ("POST", "/cancel"), ("GET", "/video")]
)
def test_an_unknown_job_id_is_not_found(
    http: TestClient, job_id: str, method: str, rest: str
) -> None:
    assert_problem(http.request(method, f"/v1/jobs/{job_id}{rest}"), ProblemType.JOB_NOT_FOUND)


@pytest.mark.parametrize("job", [new_job(), new_job().claim(NOW)])
def test_a_job_that_has_not_ended_can_be_canceled(
    http: TestClient, backstage: Backstage, job: Job
) -> None:
    response = http.post(f"{in_store(backstage, job)}/cancel")
    assert response.status_code == 200
    assert response.json()["status"] == "canceled"
    assert backstage.store.jobs[job.id].status is JobStatus.CANCELED


def test_canceling_deletes_the_journal_entry(http: TestClient, backstage: Backstage) -> None:
    job = new_job()
    path = in_store(backstage, job)
    backstage.storage.contents = {request_key(job.id): b"{}", portrait_key(job.id): b"face"}
    assert http.post(f"{path}/cancel").status_code == 200
    assert not backstage.storage.contents


def test_a_job_is_canceled_even_if_its_files_cannot_be_deleted(
    http: TestClient, backstage: Backstage
) -> None:
    path = in_store(backstage, new_job())
    backstage.storage.is_down = True
    assert http.post(f"{path}/cancel").status_code == 200


def test_a_job_that_has_ended_cannot_be_canceled(http: TestClient, backstage: Backstage) -> None:
    response = http.post(f"{in_store(backstage, new_job().cancel(NOW))}/cancel")
    assert_problem(response, ProblemType.JOB_ENDED, "canceled")


@pytest.mark.parametrize("job", [new_job(), new_job().claim(NOW), new_job().cancel(NOW)])
def test_a_deleted_job_leaves_neither_files_nor_record(
    http: TestClient, backstage: Backstage, job: Job
) -> None:
    path = in_store(backstage, job)
    backstage.storage.contents = {portrait_key(job.id): b"face", portrait_key("job_other"): b"face"}
    response = http.delete(path)
    assert (response.status_code, response.content) == (204, b"")
    assert not backstage.store.jobs
    assert list(backstage.storage.contents) == [portrait_key("job_other")]


def test_a_job_is_deleted_even_if_its_files_cannot_be_deleted_yet(
    http: TestClient, backstage: Backstage
) -> None:
    path = in_store(backstage, new_job())
    backstage.storage.is_down = True
    assert http.delete(path).status_code == 202
    assert_problem(http.get(path), ProblemType.JOB_NOT_FOUND)


@pytest.mark.parametrize(
    ("method", "rest"), [("GET", ""), ("DELETE", ""), ("POST", "/cancel"), ("GET", "/video")]
)
def test_without_the_store_every_request_about_a_job_is_503(
    http: TestClient, backstage: Backstage, method: str, rest: str
) -> None:
    path = in_store(backstage, new_job())
    backstage.store.is_down = True
    response = http.request(method, f"{path}{rest}")
    assert_problem(response, ProblemType.STORE_UNAVAILABLE)
    assert response.headers["retry-after"] == "5"


def tag_of(http: TestClient, path: str) -> str:
    return http.get(path).headers["etag"]


@pytest.mark.parametrize(("method", "suffix"), [("POST", "/cancel"), ("DELETE", "")])
def test_a_job_is_only_changed_in_the_version_in_if_match(
    http: TestClient, backstage: Backstage, method: str, suffix: str
) -> None:
    path = in_store(backstage, new_job().claim(NOW))
    job_id = path.rpartition("/")[2]
    tag = tag_of(http, path)
    backstage.store.jobs[job_id] = job = backstage.store.get(job_id).advance(
        1, Stage.RENDERING, 0.5, NOW
    )
    current = tag_of(http, path)
    for given in (tag, f"W/{current}", "", current.strip('"'), f'"x{current}'):
        response = http.request(method, path + suffix, headers={"If-Match": given})
        assert_problem(response, ProblemType.PRECONDITION_FAILED, current)
        assert response.headers["etag"] == current
    assert backstage.store.jobs[job_id] == job
    response = http.request(
        method, path + suffix, headers={"If-Match": f'"a, b", {tag}, {current}'}
    )
    assert response.is_success


@pytest.mark.parametrize("if_match", ["*", '"another"'])
def test_a_precondition_does_not_replace_another_error(
    http: TestClient, backstage: Backstage, if_match: str
) -> None:
    path = in_store(backstage, new_job().cancel(NOW))
    response = http.post(f"{path}/cancel", headers={"If-Match": if_match})
    assert_problem(response, ProblemType.JOB_ENDED)
    missing = http.delete("/v1/jobs/job_x", headers={"If-Match": if_match})
    assert_problem(missing, ProblemType.JOB_NOT_FOUND)


def test_any_version_matches_an_asterisk(http: TestClient, backstage: Backstage) -> None:
    path = in_store(backstage, new_job())
    assert http.delete(path, headers={"If-Match": "*"}).status_code == 204


def test_a_weak_tag_never_matches(http: TestClient, backstage: Backstage) -> None:
    path = in_store(backstage, new_job())
    headers = {"If-Match": f"W/{tag_of(http, path)}"}
    assert_problem(
        http.delete(path, headers=headers), ProblemType.PRECONDITION_FAILED, "without W/"
    )
