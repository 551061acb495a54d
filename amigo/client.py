"""Client for a running service: submit jobs, follow them, download their videos."""

import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, suppress
from datetime import datetime
from pathlib import Path
from typing import Literal, Self, TypeVar, Unpack

import httpx
from tenacity import Retrying

from amigo import calls
from amigo.calls import Call, Ended, Flow, JobFlow, advance
from amigo.choices import JobOptions
from amigo.errors import AmigoError, ApiProblem, Unreachable, require_success
from amigo.retries import Retries
from amigo.types import (
    AssetView,
    CheckView,
    JobRequest,
    JobView,
    Source,
    TokenView,
    UsageView,
    WebhookSecretView,
    WebhookTestView,
    read_file,
    read_files,
)

DEFAULT_URL = "http://127.0.0.1:8000"
API_KEY_VARIABLE = "AMIGO_API_KEY"
TIMEOUT = httpx.Timeout(60.0, connect=5.0)

T = TypeVar("T")


class Client:
    """Client for one service, given by its base URL; close it, or use it in a `with` statement.

    Every method may raise ApiProblem or Unreachable. Temporary errors (429, 502, 503, 504, broken
    connections) are retried for about half a minute or as long as the service asks, except for
    calls that are not safe to repeat: cancel and assets. If a service has never responded, the
    client gives up after a second.

    Args:
        base_url: the URL of the service.
        api_key: the API key; by default AMIGO_API_KEY.
    """

    def __init__(
        self,
        base_url: str = DEFAULT_URL,
        *,
        api_key: str | None = None,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._api_key = known_api_key(api_key)
        self._retries = Retries()
        self._http = httpx.Client(
            base_url=checked_url(base_url),
            timeout=TIMEOUT,
            transport=transport,
            follow_redirects=True,
        )

    def submit(
        self,
        portrait: Source,
        audio: Source,
        *,
        consent: bool,
        idempotency_key: str | None = None,
        **options: Unpack[JobOptions],
    ) -> JobView:
        """Submit a portrait and a speech clip and return the queued job.

        Args:
            portrait: a JPEG, PNG, WEBP, HEIC or AVIF picture that shows a face.
            audio: a recording of speech.
            consent: that you have the right to animate this face and voice.
            idempotency_key: your own key for this request; repeated within a day, it returns the
                same job. By default, a new one is generated.
            options: see JobOptions.

        Raises:
            OSError: a file cannot be read.
        """
        request = JobRequest.of(portrait, audio, consent=consent, options=options)
        return self._run(calls.submit(request, idempotency_key))

    def check(
        self,
        portrait: Path | str | None = None,
        audio: Path | str | None = None,
        *,
        face: str = "largest",
    ) -> CheckView:
        """Check one or both files without creating a job; nothing is stored.

        Args:
            portrait, audio: the names of files.
            face: which of several faces would be animated, as in JobOptions.

        Raises:
            OSError: a file cannot be read.
        """
        return self._run(calls.check(read_files(portrait=portrait, audio=audio), face))

    def submit_batch(
        self, requests: Sequence[JobRequest], *, idempotency_key: str | None = None
    ) -> list[JobView | ApiProblem]:
        """Submit 1 to 100 requests at once; return each job or its problem in the same order.

        Raises:
            ValueError: an input is a file; a batch takes URLs and assets.
        """
        return self._run(calls.submit_batch(requests, idempotency_key))

    def upload_asset(self, kind: Literal["portrait", "audio"], path: Path) -> AssetView:
        """Upload a file straight to the object store; jobs can use it as an input for a day.

        Raises:
            OSError: the file cannot be read.
        """
        return self._run(calls.upload_asset(kind, read_file(path)))

    def get(self, job_id: str) -> JobView:
        """Return the current state of the job."""
        return self._run(calls.get(job_id))

    def follow(self, job_id: str, timeout: float = float("inf")) -> Iterator[JobView]:
        """Yield the job at once, and again after each change, until it has ended.

        Raises:
            JobUnfinished: the job did not end within `timeout` seconds.
        """
        return self._iterate(calls.follow(job_id, timeout))

    def wait(
        self,
        job_id: str,
        on_progress: Callable[[JobView], None] = lambda _: None,
        timeout: float = float("inf"),
    ) -> JobView:
        """Wait until the job ends, through short outages of the service.

        Args:
            job_id: id of the job.
            on_progress: called with each update of the job, including the last.
            timeout: seconds until JobUnfinished is raised.

        Raises:
            JobUnfinished: the job did not end in time.
        """
        for job in self.follow(job_id, timeout):
            on_progress(job)
        return job

    def list(
        self,
        *,
        statuses: Iterable[str] = (),
        created_after: datetime | None = None,
        created_before: datetime | None = None,
        metadata: dict[str, str] | None = None,
        page_size: int = 20,
    ) -> Iterator[JobView]:
        """Yield your jobs, newest first, requesting pages (1 to 100 jobs) on demand.

        Args:
            statuses: only jobs with one of these statuses; empty for all.
            created_after: only jobs created after this time.
            created_before: only jobs created before this time.
            metadata: only jobs with these values.
            page_size: jobs per request.
        """
        flow = calls.list_jobs(
            statuses=statuses,
            created_after=created_after,
            created_before=created_before,
            metadata=metadata or {},
            page_size=page_size,
        )
        return self._iterate(flow)

    def cancel(self, job_id: str, *, if_match: str | None = None) -> JobView:
        """Cancel the job and return it; with `if_match`, only in the version with this `etag`.

        Raises:
            ApiProblem: `precondition_failed`, because the job has changed.
        """
        return self._run(calls.cancel(job_id, if_match))

    def delete(self, job_id: str, *, if_match: str | None = None) -> None:
        """Delete the job in any state, along with its files; `if_match` as for `cancel`."""
        self._run(calls.delete(job_id, if_match))

    def usage(self) -> UsageView:
        """Return what the API key has used today and what remains of its limits."""
        return self._run(calls.usage())

    def webhook_secret(self) -> WebhookSecretView:
        """Return the secrets with which your webhooks are signed."""
        return self._run(calls.webhook_secret())

    def rotate_webhook_secret(self) -> WebhookSecretView:
        """Begin a new webhook secret; the previous one remains valid for a day."""
        return self._run(calls.rotate_webhook_secret())

    def send_test_webhook(self, url: str) -> WebhookTestView:
        """Send a `webhook.test` with a sample job to a URL."""
        return self._run(calls.send_test_webhook(url))

    def read_test_webhook(self, test_id: str) -> WebhookTestView:
        """Return the state of a test notification's delivery."""
        return self._run(calls.read_test_webhook(test_id))

    def redeliver_webhook(self, job_id: str) -> JobView:
        """Deliver the notification of an ended job again.

        Raises:
            ApiProblem: `no_notification`, because the job has not ended or has no webhook.
        """
        return self._run(calls.redeliver_webhook(job_id))

    def create_token(self, job_id: str | None = None, seconds: int = 900) -> TokenView:
        """Return a token for URLs that need no API key, `?token=…`, as in a browser.

        It reads one job, or all of yours, for 60 to 3600 seconds.
        """
        return self._run(calls.create_token(job_id, seconds))

    def download_video(self, job_id: str, path: Path) -> Path:
        """Save the video, completely or not at all, and return its path."""
        return self._run(calls.download(job_id, "video", path))

    def download_poster(self, job_id: str, path: Path) -> Path:
        """Save the poster, a JPEG, and return its path."""
        return self._run(calls.download(job_id, "poster", path))

    def download_landmarks(self, job_id: str, path: Path) -> Path:
        """Save the landmarks and return their path: NumPy's format for `.npz`, else JSON."""
        return self._run(calls.download_landmarks(job_id, path))

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _run(self, flow: Flow[T]) -> T:
        with closing(flow):
            step = advance(flow, None)
            while isinstance(step, Call):
                step = advance(flow, self._result_of(step))
            return step.value

    def _iterate(self, flow: JobFlow) -> Iterator[JobView]:
        with closing(flow):
            step = advance(flow, None)
            while not isinstance(step, Ended):
                if isinstance(step, JobView):
                    yield step
                    step = advance(flow, None)
                else:
                    step = advance(flow, self._result_of(step))

    def _result_of(self, call: Call) -> httpx.Response | AmigoError:
        time.sleep(call.pause)
        try:
            return Retrying(**self._retries.policy(call))(self._send, call)
        except AmigoError as error:
            return error

    def _send(self, call: Call) -> httpx.Response:
        request = call.request(self._http, self._api_key)
        try:
            with closing(self._http.send(request, stream=True)) as response:
                self._retries.has_responded = True
                if call.into and response.is_success:
                    call.into.begin(response)
                    for piece in response.iter_bytes():
                        call.into.write(piece)
                else:
                    response.read()
        except httpx.RequestError as error:
            raise Unreachable.of(self._http.base_url, error) from error
        return require_success(response)


def checked_url(base_url: str) -> httpx.URL:
    """Return the URL of a service.

    Raises:
        Unreachable: it is not a URL with http:// or https:// and a host.
    """
    with suppress(httpx.InvalidURL):
        url = httpx.URL(base_url)
        if url.scheme in ("http", "https") and url.host:
            return url
    raise Unreachable(f"{base_url!r} is not the URL of a service, such as {DEFAULT_URL}.")


def known_api_key(given: str | None) -> str | None:
    """Return the API key given, or the one from the environment."""
    return given or os.environ.get(API_KEY_VARIABLE)
