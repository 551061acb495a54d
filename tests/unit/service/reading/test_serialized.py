"""The serialized document is the document, whatever was kept of it."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from jobs.documents import JobDocument
from jobs.eta import Estimate
from jobs.job import Job
from jobs.valkey.readings import Reading
from jobs.valkey.webhook_outbox import Delivery, DeliveryStatus
from service.reading.serialized import SerializedJobs, job_tag
from service.settings import ServiceSettings
from tests.jobs_examples import new_job, result_of

URL = "https://amigo.example"
NOW = datetime(2026, 11, 26, 12, 0, 0, 250_000, tzinfo=UTC)
RUNS = ("10.000 20.000 crop-512",)


def reading_of(job: Job, position: int | None = 1, runs: tuple[str, ...] = RUNS) -> Reading:
    return Reading(job, job.model_dump_json(), Estimate(position, (), runs, NOW))


def document_of(serialized: SerializedJobs, reading: Reading) -> JobDocument:
    return JobDocument.model_validate_json(serialized.body(reading, URL))


def test_the_eta_is_written_anew_and_everything_else_is_kept() -> None:
    serialized = SerializedJobs(ServiceSettings())
    job = new_job(audio_seconds=10.0, metadata={"a": '"eta":null,"eta_seconds":null'})
    before, after = reading_of(job), reading_of(job)
    later = replace(after, estimate=replace(after.estimate, now=NOW + timedelta(seconds=3)))
    for reading in (before, later, reading_of(job, runs=())):
        expected = JobDocument.of(
            job, timedelta(hours=24), reading.estimate, urls=serialized.urls(URL)
        )
        assert document_of(serialized, reading) == expected
    assert document_of(serialized, later).eta != document_of(serialized, before).eta


def test_a_change_of_the_job_its_place_or_its_delivery_is_seen_at_once() -> None:
    serialized = SerializedJobs(ServiceSettings())
    job = new_job(webhook_url="https://example.com/")
    claimed = job.claim(NOW)
    done = claimed.succeed(1, result_of(job.id, 1), (), NOW)
    delivered = Delivery(status=DeliveryStatus.DELIVERED, attempts=1)
    readings = [
        reading_of(job),
        reading_of(job, position=2),
        reading_of(claimed, None),
        reading_of(done, None),
        replace(reading_of(done, None), delivery=delivered),
    ]
    documents = [document_of(serialized, reading) for reading in readings]
    assert [each.queue_position for each in documents[:2]] == [1, 2]
    assert [each.status for each in documents[2:]] == ["processing", "succeeded", "succeeded"]
    assert [each.webhook.status for each in documents[3:] if each.webhook] == [
        "pending",
        "delivered",
    ]
    assert len({job_tag(reading) for reading in readings}) == len(readings)


def test_time_alone_does_not_change_the_tag() -> None:
    job = new_job()
    first, second = reading_of(job), reading_of(job, runs=())
    assert job_tag(first) == job_tag(second)


def test_each_base_url_has_documents_of_its_own() -> None:
    serialized = SerializedJobs(ServiceSettings())
    job = new_job().claim(NOW)
    reading = reading_of(job.succeed(1, result_of(job.id, 1), (), NOW), None)
    for base in ("https://one.example", "https://two.example"):
        document = JobDocument.model_validate_json(serialized.body(reading, base))
        assert document.video_url
        assert document.video_url.startswith(f"{base}/v1/jobs/")
