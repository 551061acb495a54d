"""A request as a value, and the flows built from such requests.

A flow is a generator: it yields calls, receives their responses and returns a result. It contains
everything the client knows about the service and performs no I/O, so that one set of flows serves
both clients, which only send the calls.
"""

import mimetypes
import time
from collections.abc import Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Generic, TypeAlias, TypeVar, cast
from urllib.parse import quote
from uuid import uuid4

import httpx
from pydantic import BaseModel, ValidationError

from amigo.downloads import PartialFile
from amigo.errors import AmigoError, ApiProblem, JobUnfinished, Unreachable
from amigo.types import (
    AssetView,
    BatchEntryView,
    BatchView,
    CheckView,
    File,
    JobRequest,
    JobView,
    PageView,
    TokenView,
    UsageView,
    WebhookSecretView,
    WebhookTestView,
)

S = TypeVar("S")
T = TypeVar("T")

IDEMPOTENCY_KEY = "Idempotency-Key"


@dataclass(frozen=True)
class Call:
    """A request to the service.

    Attributes:
        path: relative to the service's base URL, or an absolute URL of another server; the API key
            is only sent to the service.
        pause: seconds to wait before sending it.
        into: where the response body is written in chunks; None: into the response.
    """

    method: str
    path: str
    params: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    json: Any = None
    data: Mapping[str, str] | None = None
    files: Mapping[str, File] | None = None
    content: bytes | None = None
    is_safe: bool = False
    pause: float = 0.0
    into: PartialFile | None = None

    @property
    def may_repeat(self) -> bool:
        """Whether the request can be repeated safely."""
        return self.method != "POST" or self.is_safe or IDEMPOTENCY_KEY in self.headers

    def request(self, http: httpx.Client | httpx.AsyncClient, api_key: str | None) -> httpx.Request:
        """Return the request to send now."""
        headers = {**self.headers, **(self.into.request_headers() if self.into else {})}
        if api_key and self.path.startswith("/"):
            headers["Authorization"] = f"Bearer {api_key}"
        return http.build_request(
            self.method,
            self.path,
            params=dict(self.params) or None,
            headers=headers,
            json=self.json,
            data=self.data,
            files=self.files,
            content=self.content,
        )


Flow: TypeAlias = Generator[Call, httpx.Response, T]
"""A flow that leads to one value."""

JobFlow: TypeAlias = Generator[Call | JobView, httpx.Response, None]
"""A flow that yields jobs between its calls."""


@dataclass(frozen=True)
class Ended(Generic[T]):
    """A finished flow and its result."""

    value: T


def advance(
    flow: Generator[S, httpx.Response, T], result: httpx.Response | AmigoError | None
) -> S | Ended[T]:
    """Send the result of the last step to a flow (None at the start) and return its next one.

    Raises:
        AmigoError: the error sent, or one that the flow derives from the response.
    """
    try:
        if isinstance(result, AmigoError):
            return flow.throw(result)
        return flow.send(cast("httpx.Response", result))
    except StopIteration as end:
        return Ended(end.value)


JOBS = "/v1/jobs"
LONG_POLL_SECONDS = 25
"""Longest delay of a response; proxies close idle connections after 30 s."""

UPDATE_SECONDS = 1.0
"""Minimum time between two updates of a job, which may change many times a second."""

View = TypeVar("View", bound=BaseModel)


def submit(request: JobRequest, idempotency_key: str | None = None) -> Flow[JobView]:
    """Create a job exactly once, however often the request is repeated."""
    once = _once(idempotency_key)
    if request.files:
        call = Call("POST", JOBS, headers=once, data=request.form, files=request.files)
    else:
        call = Call("POST", JOBS, headers=once, json=request.fields)
    return _read(JobView, (yield call))


def submit_batch(
    requests: Sequence[JobRequest], idempotency_key: str | None = None
) -> Flow[list[JobView | ApiProblem]]:
    """Create several jobs at once and return, in the same order, each job or its problem."""
    if any(request.files for request in requests):
        raise ValueError("A batch takes URLs and assets; upload files as assets first.")
    body = {"jobs": [request.fields for request in requests]}
    call = Call("POST", f"{JOBS}/batch", headers=_once(idempotency_key), json=body)
    batch = _read(BatchView, (yield call))
    return [_outcome(entry) for entry in batch.results]


def check(files: Mapping[str, File], face: str) -> Flow[CheckView]:
    """Check files before creating a job."""
    call = Call("POST", "/v1/checks", data={"face": face}, files=files, is_safe=True)
    return _read(CheckView, (yield call))


def get(job_id: str) -> Flow[JobView]:
    """Get a job."""
    return _read_version((yield Call("GET", _path(job_id))))


def follow(job_id: str, timeout: float) -> JobFlow:
    """Yield a job at once and after each change, until it has ended.

    Raises:
        JobUnfinished: the job did not end within `timeout` seconds.
    """
    asked = time.monotonic()
    deadline = asked + timeout
    call = Call("GET", _path(job_id))
    while True:
        response = yield call
        if response.status_code != httpx.codes.NOT_MODIFIED:
            job = _read_version(response)
            yield job
            if job.has_ended:
                return
        now = time.monotonic()
        if now >= deadline:
            raise JobUnfinished(f"Job {job_id} did not end within {timeout:g} s.")
        asked = min(max(now, asked + UPDATE_SECONDS), deadline)
        tag = response.headers.get("ETag")
        call = Call(
            "GET",
            _path(job_id),
            params={"wait": int(min(LONG_POLL_SECONDS, deadline - asked))},
            headers={"If-None-Match": tag} if tag else {},
            pause=asked - now,
        )


def list_jobs(
    *,
    statuses: Iterable[str],
    created_after: datetime | None,
    created_before: datetime | None,
    metadata: dict[str, str],
    page_size: int,
) -> JobFlow:
    """Yield the caller's jobs, newest first."""
    filters = {
        "status": list(statuses),
        **({"created_after": created_after.isoformat()} if created_after else {}),
        **({"created_before": created_before.isoformat()} if created_before else {}),
        **{f"metadata[{name}]": value for name, value in metadata.items()},
        "limit": page_size,
    }
    cursor: dict[str, str] = {}
    while True:
        page = _read(PageView, (yield Call("GET", JOBS, params={**filters, **cursor})))
        yield from page.jobs
        if page.next_cursor is None:
            return
        cursor = {"cursor": page.next_cursor}


def cancel(job_id: str, if_match: str | None) -> Flow[JobView]:
    """Cancel a job that is queued or processing."""
    call = Call("POST", f"{_path(job_id)}/cancel", headers=_if_match(if_match))
    return _read(JobView, (yield call))


def delete(job_id: str, if_match: str | None) -> Flow[None]:
    """Delete a job and its files."""
    yield Call("DELETE", _path(job_id), headers=_if_match(if_match))


def download(job_id: str, product: str, path: Path, **params: str) -> Flow[Path]:
    """Save the video, the poster or the landmarks, completely or not at all.

    A broken download is resumed, as long as each connection transfers something.
    """
    with PartialFile(path) as file:
        while True:
            had = file.size
            try:
                yield Call("GET", f"{_path(job_id)}/{product}", params=params, into=file)
                return file.finish()
            except Unreachable:
                if file.size == had:
                    raise
            except ApiProblem as problem:
                if problem.status != httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE or not file.size:
                    raise
                file.restart()


def download_landmarks(job_id: str, path: Path) -> Flow[Path]:
    """Save the landmarks, in NumPy's format if the file's name asks for it, else as JSON."""
    kind = "npz" if path.suffix == ".npz" else "json"
    return download(job_id, "landmarks", path, format=kind)


def upload_asset(kind: str, file: File) -> Flow[AssetView]:
    """Upload a portrait or an audio file straight to the object store, for use in jobs."""
    name, content = file
    content_type, _ = mimetypes.guess_type(name)
    wanted = {
        "kind": kind,
        "size": len(content),
        "content_type": content_type or "application/octet-stream",
    }
    asset = _read(AssetView, (yield Call("POST", "/v1/assets", json=wanted)))
    upload = asset.upload
    if upload is None:
        raise Unreachable("The service returned no URL for the upload.")
    yield Call(upload.method, upload.url, headers=upload.headers, content=content)
    return asset


def usage() -> Flow[UsageView]:
    """Get today's usage and the remaining limits."""
    return _read(UsageView, (yield Call("GET", "/v1/usage")))


def webhook_secret() -> Flow[WebhookSecretView]:
    """Get the valid webhook secrets."""
    return _read(WebhookSecretView, (yield Call("GET", "/v1/webhooks/secret")))


def rotate_webhook_secret() -> Flow[WebhookSecretView]:
    """Begin a new webhook secret."""
    return _read(WebhookSecretView, (yield Call("POST", "/v1/webhooks/secret/rotate")))


def send_test_webhook(url: str) -> Flow[WebhookTestView]:
    """Send a test notification."""
    response = yield Call("POST", "/v1/webhooks/tests", json={"url": url})
    return _read(WebhookTestView, response)


def read_test_webhook(test_id: str) -> Flow[WebhookTestView]:
    """Get the state of a test notification."""
    response = yield Call("GET", f"/v1/webhooks/tests/{quote(test_id, safe='')}")
    return _read(WebhookTestView, response)


def redeliver_webhook(job_id: str) -> Flow[JobView]:
    """Deliver a job's notification again."""
    return _read(JobView, (yield Call("POST", f"{_path(job_id)}/webhook")))


def create_token(job_id: str | None, seconds: int) -> Flow[TokenView]:
    """Create a token for reading through URLs."""
    wanted = {"job_id": job_id, "seconds": seconds}
    return _read(TokenView, (yield Call("POST", "/v1/tokens", json=wanted)))


def _once(idempotency_key: str | None) -> dict[str, str]:
    return {IDEMPOTENCY_KEY: idempotency_key or str(uuid4())}


def _if_match(tag: str | None) -> dict[str, str]:
    return {"If-Match": tag} if tag else {}


def _path(job_id: str) -> str:
    return f"{JOBS}/{quote(job_id, safe='')}"


def _read(view: type[View], response: httpx.Response) -> View:
    try:
        return view.model_validate_json(response.content)
    except ValidationError as error:
        raise Unreachable(f"{response.url} did not respond like an AMIGO service.") from error


def _read_version(response: httpx.Response) -> JobView:
    """Return the job with the tag of its version, for `If-Match`.

    A proxy that compresses responses makes the tag weak, which would never match.
    """
    tag = response.headers.get("ETag", "").removeprefix("W/")
    return _read(JobView, response).model_copy(update={"etag": tag or None})


def _outcome(entry: BatchEntryView) -> JobView | ApiProblem:
    if entry.job:
        return entry.job
    return ApiProblem.from_document(entry.status, entry.problem or {})
