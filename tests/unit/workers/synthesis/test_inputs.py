from dataclasses import dataclass, field

import pytest

from jobs.errors import ObjectNotFound, StorageUnavailable
from jobs.job import Job
from jobs.s3.paths import audio_key, portrait_key
from jobs.urls import UrlRules
from tests.fakes.stores import FakeStorage
from tests.jobs_examples import new_job
from workers.safe_http import Outbound, OutboundError, UrlTimeout, UrlTooLarge, UrlUnreachable
from workers.synthesis.inputs import MAX_TRIES, InputNotFetched, Inputs
from workers.synthesis.retry_policy import RetryPolicy
from workers.synthesis.settings import WorkerSettings

URL = "https://example.com/face.jpg"


@dataclass(frozen=True)
class FakeOutbound(Outbound):
    """Returns these results, the last one from then on; nothing is sent."""

    answers: list[bytes | OutboundError] = field(default_factory=list)
    asked: list[tuple[str, int, float]] = field(default_factory=list)

    async def fetch(self, url: str, max_bytes: int, seconds: float) -> bytes:
        self.asked.append((url, max_bytes, seconds))
        response = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(response, OutboundError):
            raise response
        return response


@pytest.fixture
def storage() -> FakeStorage:
    return FakeStorage()


@pytest.fixture
def outbound(monkeypatch: pytest.MonkeyPatch) -> FakeOutbound:
    monkeypatch.setattr("workers.synthesis.inputs.FIRST_PAUSE", 0)
    return FakeOutbound(UrlRules(), answers=[b"a file"])


@pytest.fixture
def inputs(storage: FakeStorage, outbound: FakeOutbound) -> Inputs:
    settings = WorkerSettings(portrait_max_bytes=10, audio_max_bytes=20, fetch_seconds=3)
    return Inputs(storage, outbound, RetryPolicy(60, sleep=lambda _: None), settings)


def by_url() -> Job:
    return new_job(portrait_url=URL, audio_url="https://example.com/speech.wav")


def test_what_is_stored_is_not_fetched(
    inputs: Inputs, storage: FakeStorage, outbound: FakeOutbound
) -> None:
    job = new_job()
    storage.put(portrait_key(job.id), b"portrait", "")
    storage.put(audio_key(job.id), b"audio", "")
    assert (inputs.portrait(job), inputs.audio(job)) == (b"portrait", b"audio")
    assert outbound.asked == []


def test_what_is_at_a_url_is_fetched_within_its_limits_and_kept(
    inputs: Inputs, storage: FakeStorage, outbound: FakeOutbound
) -> None:
    job = by_url()
    assert inputs.portrait(job) == inputs.audio(job) == b"a file"
    assert outbound.asked == [(URL, 10, 3.0), ("https://example.com/speech.wav", 20, 3.0)]
    assert storage.contents == {portrait_key(job.id): b"a file", audio_key(job.id): b"a file"}


def test_a_second_attempt_does_not_fetch_again(inputs: Inputs, outbound: FakeOutbound) -> None:
    job = by_url()
    for _ in range(2):
        inputs.portrait(job)
    assert len(outbound.asked) == 1


def test_a_missing_stored_input_is_not_found(inputs: Inputs) -> None:
    with pytest.raises(ObjectNotFound):
        inputs.portrait(new_job())


@pytest.mark.parametrize(
    "error",
    [
        UrlTooLarge("It is large."),
        UrlTimeout("It took long."),
        UrlUnreachable("No.", may_pass=False),
    ],
)
def test_an_unfetchable_url_fails_the_job_with_the_reason(
    inputs: Inputs, outbound: FakeOutbound, error: OutboundError
) -> None:
    outbound.answers[:] = [error]
    with pytest.raises(InputNotFetched) as failed:
        inputs.audio(by_url())
    assert failed.value.failure.code == error.code
    assert failed.value.failure.message.startswith("The audio could not be fetched")
    assert str(error) in failed.value.failure.message
    assert len(outbound.asked) == 1


def test_a_temporary_server_error_is_retried(inputs: Inputs, outbound: FakeOutbound) -> None:
    outbound.answers[:] = [UrlUnreachable("The URL responded with status 503."), b"a file"]
    assert inputs.portrait(by_url()) == b"a file"
    assert len(outbound.asked) == 2


def test_a_persistent_server_error_is_retried_a_limited_number_of_times(
    inputs: Inputs, outbound: FakeOutbound
) -> None:
    outbound.answers[:] = [UrlUnreachable("The URL responded with status 503.")]
    with pytest.raises(InputNotFetched):
        inputs.portrait(by_url())
    assert len(outbound.asked) == MAX_TRIES


def test_an_object_store_outage_is_not_blamed_on_the_url(
    inputs: Inputs, storage: FakeStorage, outbound: FakeOutbound
) -> None:
    storage.outages.of("put", 1)
    assert inputs.portrait(by_url()) == b"a file"
    storage.outages.of("get", 1_000)
    with pytest.raises(StorageUnavailable):
        inputs.portrait(by_url())
