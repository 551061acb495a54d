"""Asynchronous client for a running service."""

from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import aclosing, closing
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Literal, Self, TypeVar, Unpack

import httpx
from anyio import sleep, to_thread
from tenacity import AsyncRetrying

from amigo import calls
from amigo.calls import Call, Ended, Flow, JobFlow, advance
from amigo.choices import JobOptions
from amigo.client import DEFAULT_URL, TIMEOUT, checked_url, known_api_key
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

T = TypeVar("T")


class AsyncClient:
    """Client with the same methods as coroutines; use `follow` and `list` with `async for`.

    Close it, or use it in an `async with` statement.
    """

    def __init__(
        self,
        base_url: str = DEFAULT_URL,
        *,
        api_key: str | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._api_key = known_api_key(api_key)
        self._retries = Retries()
        self._http = httpx.AsyncClient(
            base_url=checked_url(base_url),
            timeout=TIMEOUT,
            transport=transport,
            follow_redirects=True,
        )

    async def submit(
        self,
        portrait: Source,
        audio: Source,
        *,
        consent: bool,
        idempotency_key: str | None = None,
        **options: Unpack[JobOptions],
    ) -> JobView:
        """Submit a portrait and a speech clip and return the queued job."""
        read = partial(JobRequest.of, portrait, audio, consent=consent, options=options)
        request = await to_thread.run_sync(read)
        return await self._run(calls.submit(request, idempotency_key))

    async def check(
        self,
        portrait: Path | str | None = None,
        audio: Path | str | None = None,
        *,
        face: str = "largest",
    ) -> CheckView:
        """Check one or both files without creating a job; nothing is stored."""
        read = partial(read_files, portrait=portrait, audio=audio)
        return await self._run(calls.check(await to_thread.run_sync(read), face))

    async def submit_batch(
        self, requests: Sequence[JobRequest], *, idempotency_key: str | None = None
    ) -> list[JobView | ApiProblem]:
        """Submit 1 to 100 requests at once; return each job or its problem in the same order."""
        return await self._run(calls.submit_batch(requests, idempotency_key))

    async def upload_asset(self, kind: Literal["portrait", "audio"], path: Path) -> AssetView:
        """Upload a file straight to the object store; jobs can use it as an input for a day."""
        file = await to_thread.run_sync(read_file, path)
        return await self._run(calls.upload_asset(kind, file))

    async def get(self, job_id: str) -> JobView:
        """Return the current state of the job."""
        return await self._run(calls.get(job_id))

    def follow(self, job_id: str, timeout: float = float("inf")) -> AsyncIterator[JobView]:
        """Yield the job at once, and again after each change, until it has ended."""
        return self._iterate(calls.follow(job_id, timeout))

    async def wait(
        self,
        job_id: str,
        on_progress: Callable[[JobView], None] = lambda _: None,
        timeout: float = float("inf"),
    ) -> JobView:
        """Wait until the job ends, through short outages of the service."""
        async for job in self.follow(job_id, timeout):
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
    ) -> AsyncIterator[JobView]:
        """Yield your jobs, newest first, requesting pages on demand."""
        flow = calls.list_jobs(
            statuses=statuses,
            created_after=created_after,
            created_before=created_before,
            metadata=metadata or {},
            page_size=page_size,
        )
        return self._iterate(flow)

    async def cancel(self, job_id: str, *, if_match: str | None = None) -> JobView:
        """Cancel the job and return it; with `if_match`, only in the version with this `etag`."""
        return await self._run(calls.cancel(job_id, if_match))

    async def delete(self, job_id: str, *, if_match: str | None = None) -> None:
        """Delete the job in any state, along with its files; `if_match` as for `cancel`."""
        await self._run(calls.delete(job_id, if_match))

    async def usage(self) -> UsageView:
        """Return what the API key has used today and what remains of its limits."""
        return await self._run(calls.usage())

    async def webhook_secret(self) -> WebhookSecretView:
        """Return the secrets with which your webhooks are signed."""
        return await self._run(calls.webhook_secret())

    async def rotate_webhook_secret(self) -> WebhookSecretView:
        """Begin a new webhook secret; the previous one remains valid for a day."""
        return await self._run(calls.rotate_webhook_secret())

    async def send_test_webhook(self, url: str) -> WebhookTestView:
        """Send a `webhook.test` with a sample job to a URL."""
        return await self._run(calls.send_test_webhook(url))

    async def read_test_webhook(self, test_id: str) -> WebhookTestView:
        """Return the state of a test notification's delivery."""
        return await self._run(calls.read_test_webhook(test_id))

    async def redeliver_webhook(self, job_id: str) -> JobView:
        """Deliver the notification of an ended job again.

        Raises:
            ApiProblem: `no_notification`, because the job has not ended or has no webhook.
        """
        return await self._run(calls.redeliver_webhook(job_id))

    async def create_token(self, job_id: str | None = None, seconds: int = 900) -> TokenView:
        """Return a token for URLs that need no API key, `?token=…`, as in a browser.

        It reads one job, or all of yours, for 60 to 3600 seconds.
        """
        return await self._run(calls.create_token(job_id, seconds))

    async def download_video(self, job_id: str, path: Path) -> Path:
        """Save the video, completely or not at all, and return its path."""
        return await self._run(calls.download(job_id, "video", path))

    async def download_poster(self, job_id: str, path: Path) -> Path:
        """Save the poster, a JPEG, and return its path."""
        return await self._run(calls.download(job_id, "poster", path))

    async def download_landmarks(self, job_id: str, path: Path) -> Path:
        """Save the landmarks and return their path: NumPy's format for `.npz`, else JSON."""
        return await self._run(calls.download_landmarks(job_id, path))

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self.aclose()

    async def _run(self, flow: Flow[T]) -> T:
        with closing(flow):
            step = advance(flow, None)
            while isinstance(step, Call):
                step = advance(flow, await self._result_of(step))
            return step.value

    async def _iterate(self, flow: JobFlow) -> AsyncIterator[JobView]:
        with closing(flow):
            step = advance(flow, None)
            while not isinstance(step, Ended):
                if isinstance(step, JobView):
                    yield step
                    step = advance(flow, None)
                else:
                    step = advance(flow, await self._result_of(step))

    async def _result_of(self, call: Call) -> httpx.Response | AmigoError:
        await sleep(call.pause)
        try:
            return await AsyncRetrying(**self._retries.policy(call))(self._send, call)
        except AmigoError as error:
            return error

    async def _send(self, call: Call) -> httpx.Response:
        request = call.request(self._http, self._api_key)
        try:
            async with aclosing(await self._http.send(request, stream=True)) as response:
                self._retries.has_responded = True
                if call.into and response.is_success:
                    call.into.begin(response)
                    async for piece in response.aiter_bytes():
                        await to_thread.run_sync(call.into.write, piece)
                else:
                    await response.aread()
        except httpx.RequestError as error:
            raise Unreachable.of(self._http.base_url, error) from error
        return require_success(response)
