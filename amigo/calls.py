"""One request as a value, and the dialogues that are made of them.

A dialogue is a generator: it yields calls, is sent their answers and returns what came of them.
It holds all that the client knows about the service and awaits nothing, so that one set of
dialogues serves both clients, which only carry calls to the service and answers back.
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
from amigo.types import AssetView, BatchEntryView, BatchView, File, JobRequest, JobView, PageView

S = TypeVar("S")
T = TypeVar("T")

IDEMPOTENCY_KEY = "Idempotency-Key"


@dataclass(frozen=True)
class Call:
    """One request to the service.

    Attributes:
        path: below the service's base URL, or a whole URL that leads elsewhere; the API key goes
            to the service alone.
        pause: seconds to wait before it is sent.
        into: where the body of the answer goes, piece by piece; None: into the answer.
    """

    method: str
    path: str
    params: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    json: Any = None
    data: Mapping[str, str] | None = None
    files: Mapping[str, File] | None = None
    content: bytes | None = None
    pause: float = 0.0
    into: PartialFile | None = None

    @property
    def may_repeat(self) -> bool:
        """Whether sending it twice does no more than sending it once."""
        return self.method != "POST" or IDEMPOTENCY_KEY in self.headers

    def request(self, http: httpx.Client | httpx.AsyncClient, api_key: str | None) -> httpx.Request:
        """Return the request as it has to be sent now."""
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


Dialogue: TypeAlias = Generator[Call, httpx.Response, T]
"""Calls that lead to one value."""

Story: TypeAlias = Generator[Call | JobView, httpx.Response, None]
"""Calls with jobs to show between them."""


@dataclass(frozen=True)
class Ended(Generic[T]):
    """A dialogue that has ended, with what came of it."""

    value: T


def advance(
    dialogue: Generator[S, httpx.Response, T], said: httpx.Response | AmigoError | None
) -> S | Ended[T]:
    """Tell a dialogue what its last step led to (None at the start) and return the next one.

    Raises:
        AmigoError: the one that was said, or one that the dialogue makes of the answer.
    """
    try:
        if isinstance(said, AmigoError):
            return dialogue.throw(said)
        return dialogue.send(cast("httpx.Response", said))
    except StopIteration as end:
        return Ended(end.value)


JOBS = "/v1/jobs"
LONG_POLL_SECONDS = 25
"""How long the service holds an answer back; proxies give up a silent connection after 30 s."""

LOOK_SECONDS = 1.0
"""Time from one look at a job to the next at least: it may change many times a second."""

View = TypeVar("View", bound=BaseModel)


def submit(request: JobRequest, idempotency_key: str | None = None) -> Dialogue[JobView]:
    """Make a job, and only one, however often the request has to be sent."""
    once = _once(idempotency_key)
    if request.files:
        call = Call("POST", JOBS, headers=once, data=request.form, files=request.files)
    else:
        call = Call("POST", JOBS, headers=once, json=request.fields)
    return _read(JobView, (yield call))


def submit_batch(
    requests: Sequence[JobRequest], idempotency_key: str | None = None
) -> Dialogue[list[JobView | ApiProblem]]:
    """Make many jobs at once and return, in their order, each job or why it was refused."""
    if any(request.files for request in requests):
        raise ValueError("A batch takes addresses and assets; upload files as assets first.")
    body = {"jobs": [request.fields for request in requests]}
    call = Call("POST", f"{JOBS}/batch", headers=_once(idempotency_key), json=body)
    batch = _read(BatchView, (yield call))
    return [_outcome(entry) for entry in batch.results]


def get(job_id: str) -> Dialogue[JobView]:
    """Look at a job."""
    return _read(JobView, (yield Call("GET", _path(job_id))))


def follow(job_id: str, timeout: float) -> Story:
    """Show a job at once and then whenever it has changed, until it has ended.

    Raises:
        JobUnfinished: the job did not end within `timeout` seconds.
    """
    asked = time.monotonic()
    deadline = asked + timeout
    call = Call("GET", _path(job_id))
    while True:
        answer = yield call
        if answer.status_code != httpx.codes.NOT_MODIFIED:
            job = _read(JobView, answer)
            yield job
            if job.has_ended:
                return
        now = time.monotonic()
        if now >= deadline:
            raise JobUnfinished(f"Job {job_id} did not end within {timeout:g} s.")
        asked = min(max(now, asked + LOOK_SECONDS), deadline)
        tag = answer.headers.get("ETag")
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
) -> Story:
    """Show the caller's jobs, newest first."""
    filters = {
        "status": list(statuses),
        **({"created_after": created_after.isoformat()} if created_after else {}),
        **({"created_before": created_before.isoformat()} if created_before else {}),
        **{f"metadata.{name}": value for name, value in metadata.items()},
        "limit": page_size,
    }
    cursor: dict[str, str] = {}
    while True:
        page = _read(PageView, (yield Call("GET", JOBS, params={**filters, **cursor})))
        yield from page.jobs
        if page.next_cursor is None:
            return
        cursor = {"cursor": page.next_cursor}


def cancel(job_id: str) -> Dialogue[JobView]:
    """End a job that is queued or processing."""
    return _read(JobView, (yield Call("POST", f"{_path(job_id)}/cancel")))


def delete(job_id: str) -> Dialogue[None]:
    """Forget a job and delete its files."""
    yield Call("DELETE", _path(job_id))


def download(job_id: str, product: str, path: Path, **params: str) -> Dialogue[Path]:
    """Save the video, the poster or the landmarks, whole or not at all.

    A broken connection is taken up where it broke, as long as each one brings something.
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


def download_landmarks(job_id: str, path: Path) -> Dialogue[Path]:
    """Save the landmarks, in NumPy's format where the file's name asks for it, else as JSON."""
    kind = "npz" if path.suffix == ".npz" else "json"
    return download(job_id, "landmarks", path, format=kind)


def upload_asset(kind: str, file: File) -> Dialogue[AssetView]:
    """Bring a portrait or an audio straight to the object store, for jobs to name."""
    name, content = file
    content_type, _ = mimetypes.guess_type(name)
    wanted = {
        "kind": kind,
        "size": len(content),
        "content_type": content_type or "application/octet-stream",
    }
    asset = _read(AssetView, (yield Call("POST", "/v1/assets", json=wanted)))
    upload = asset.upload
    yield Call(upload.method, upload.url, headers=upload.headers, content=content)
    return asset


def _once(idempotency_key: str | None) -> dict[str, str]:
    return {IDEMPOTENCY_KEY: idempotency_key or str(uuid4())}


def _path(job_id: str) -> str:
    return f"{JOBS}/{quote(job_id, safe='')}"


def _read(view: type[View], answer: httpx.Response) -> View:
    try:
        return view.model_validate_json(answer.content)
    except ValidationError as error:
        raise Unreachable(f"{answer.url} answers, but not like AMIGO.") from error


def _outcome(entry: BatchEntryView) -> JobView | ApiProblem:
    if entry.job:
        return entry.job
    return ApiProblem.told(entry.status, entry.problem or {})
