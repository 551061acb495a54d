import json
from datetime import UTC, datetime, timedelta
from statistics import pstdev

import pytest
from pydantic import SecretStr, ValidationError

from jobs.documents import JobDocument
from jobs.job import Job
from tests.jobs_examples import FAILURE, new_job, result_of
from workers.webhooks.sender import LONGEST_PAUSE, event_body, pause_after, requested_pause
from workers.webhooks.settings import WebhookSettings

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
URL = "https://example.com/hook?token=secret"
SETTINGS = WebhookSettings(public_url="https://amigo.example")


def processing() -> Job:
    job = new_job(
        webhook_url=URL,
        portrait_url="https://example.com/face.jpg?signature=secret",
        metadata={"order": "4711"},
    )
    return job.claim(NOW)


def test_a_success_is_sent_with_the_video_and_the_emotion() -> None:
    job = processing()
    told = json.loads(
        event_body(job.succeed(1, result_of(job.id, 1), ("several_faces",), NOW), SETTINGS)
    )
    assert told["type"] == "job.succeeded"
    assert told["timestamp"] == "2026-11-22T12:00:00Z"
    data = told["data"]
    assert data.keys() == JobDocument.model_fields.keys()
    assert data["video_url"].startswith(f"https://amigo.example/v1/jobs/{job.id}/video?token=")
    assert (data["id"], data["status"]) == (job.id, "succeeded")
    assert (data["duration"], data["num_frames"]) == (1.0, 25)
    assert data["emotion"]["emotion"] == "happiness"
    assert data["metadata"] == {"order": "4711"}
    assert data["notices"] == ["several_faces"]


def test_a_failure_is_sent_with_its_reason() -> None:
    told = json.loads(event_body(processing().fail(1, FAILURE, NOW), SETTINGS))
    assert told["type"] == "job.failed"
    assert told["data"]["failure"] == FAILURE.model_dump()
    assert told["data"]["emotion"] is None


def test_a_cancellation_is_sent() -> None:
    assert json.loads(event_body(processing().cancel(NOW), SETTINGS))["type"] == "job.canceled"


def test_the_body_contains_no_keys_and_no_urls_of_the_caller() -> None:
    job = processing()
    told = event_body(job.succeed(1, result_of(job.id, 1), (), NOW), SETTINGS)
    assert "secret" not in told
    assert "video.mp4" not in told


def test_each_pause_is_about_three_times_the_one_before_and_three_hours_at_most() -> None:
    pauses = [pause_after(attempt, first=4.0).total_seconds() for attempt in range(1, 30)]
    for number, pause in enumerate(pauses):
        longest = min(4.0 * 3**number, LONGEST_PAUSE.total_seconds())
        assert 0.75 * longest <= pause <= longest


def test_pauses_are_randomized() -> None:
    assert pstdev(pause_after(3, 5.0).total_seconds() for _ in range(20)) > 0


def test_the_pauses_of_a_day_allow_more_than_ten_attempts() -> None:
    day = sum((pause_after(attempt, 5.0) for attempt in range(1, 11)), timedelta())
    assert day < timedelta(days=1)


@pytest.mark.parametrize(
    ("retry_after", "seconds"),
    [
        ("120", 120),
        (" 0 ", 0),
        ("9" * 400, 3 * 3600),
        ("Sun, 22 Nov 2026 12:05:00 GMT", 300),
        ("Sun, 22 Nov 2026 11:00:00 GMT", 0),
        ("Fri, 01 Jan 2100 00:00:00 GMT", 3 * 3600),
        ("Sun, 22 Nov 2026 12:05:00 -0000", 0),
        ("Sun, 22 Nov 99999999999999999999 12:05:00 GMT", 0),
        ("soon", 0),
        ("-5", 0),
        ("1.5", 0),
        ("", 0),
        (None, 0),
    ],
)
def test_a_receiver_can_delay_a_retry_by_three_hours_at_most(
    retry_after: str | None, seconds: float
) -> None:
    assert requested_pause(retry_after, NOW) == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    "secret",
    ["", "whsec_", "whsec_c2hvcnQ=", "YW1pZ28tZGV2ZWxvcG1lbnQtd2ViaG9vaw==", "whsec_" + "!" * 40],
)
def test_an_invalid_secret_is_refused(secret: str) -> None:
    with pytest.raises(ValidationError, match="AMIGO_WEBHOOK_SECRET must be whsec_"):
        WebhookSettings(webhook_secret=SecretStr(secret))


def test_production_refuses_the_development_secret() -> None:
    mine = SecretStr("whsec_" + "QUJD" * 8)
    with pytest.raises(ValidationError, match="AMIGO_WEBHOOK_SECRET must be set"):
        WebhookSettings(environment="production", s3_secret_key=SecretStr("mine"))
    settings = WebhookSettings(
        environment="production", s3_secret_key=SecretStr("mine"), webhook_secret=mine
    )
    assert settings.webhook_lifetime == timedelta(days=1)


def test_every_setting_has_a_description() -> None:
    assert all(field.description for field in WebhookSettings.model_fields.values())
