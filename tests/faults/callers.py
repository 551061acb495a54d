"""The callers of a system under test: they submit, follow and cancel; all is recorded."""

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import numpy as np
from PIL import Image

from amigo import AmigoError, ApiProblem, Client, JobView, Unreachable
from amigo.calls import IDEMPOTENCY_KEY
from tests.faults.history import (
    Answered,
    Canceled,
    Deleted,
    GivenUp,
    History,
    Lost,
    Posted,
    Seen,
    Unanswered,
)
from tests.media import babble, recording

MOST_CALLERS = 64
JOBS_PATH = "/v1/jobs"


def _write_portrait(path: Path) -> Path:
    """Write a PNG of 64x64 pixels of noise, once, and return its path."""
    if not path.exists():
        pixels = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
        Image.fromarray(pixels).save(path, "PNG")
    return path


def _write_speech(path: Path, seconds: float) -> Path:
    """Write a WAV of voice-like sound, once, and return its path."""
    if not path.exists():
        path.write_bytes(recording(babble(seconds), "wav", "pcm_s16le"))
    return path


class Recorder(httpx.BaseTransport):
    """Sends requests to any service that accepts the connection, like a load balancer.

    Each POST of a job and its response is recorded at the network level.
    """

    def __init__(self, history: History, urls: Sequence[str]) -> None:
        self._history = history
        self._urls = tuple(map(httpx.URL, urls))
        self._turn = 0
        self._wire = httpx.HTTPTransport()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        key = request.headers.get(IDEMPOTENCY_KEY)
        if request.method != "POST" or request.url.path != JOBS_PATH or key is None:
            return self._carry(request)
        self._history.record(Posted(key, webhook=b"webhook_url" in request.read()))
        try:
            response = self._carry(request)
        except httpx.TransportError as error:
            self._history.record(Unanswered(key, repr(error)))
            raise
        location = response.headers.get("Location", "")
        job_id = location.rpartition("/")[2] or None
        self._history.record(Answered(key, response.status_code, job_id))
        return response

    def close(self) -> None:
        self._wire.close()

    def _carry(self, request: httpx.Request) -> httpx.Response:
        """Try the services in turn, starting with the last one that responded."""
        for _ in self._urls[1:]:
            try:
                return self._wire.handle_request(self._aimed(request))
            except httpx.ConnectError:
                self._turn += 1
        return self._wire.handle_request(self._aimed(request))

    def _aimed(self, request: httpx.Request) -> httpx.Request:
        url = self._urls[self._turn % len(self._urls)]
        request.url = request.url.copy_with(host=url.host, port=url.port)
        request.headers["Host"] = request.url.netloc.decode("ascii")
        return request


FOLLOWED_AGAIN = 5
"""How often a caller follows its job again after the client gave up: while faults pile up on a busy
machine, no service may answer for longer than the client's half a minute.
"""


@dataclass(frozen=True)
class Post:
    """A submitted job: its id once it is accepted, and its final state."""

    key: str
    accepted: "Future[str]" = field(default_factory=Future)
    ended: "Future[JobView]" = field(default_factory=Future)


class Callers:
    """Any number of callers, each in its own thread, with the retries of `Client`."""

    def __init__(
        self,
        history: Callable[[], History],
        urls: Sequence[str],
        webhook: str,
        folder: Path,
        api_key: str,
    ) -> None:
        self._history = history
        self._folder = folder
        self._api_key = api_key
        self._urls = urls
        self._webhook = webhook
        self._threads = ThreadPoolExecutor(MOST_CALLERS, "caller")

    def client(self, *, patient: bool = True) -> Client:
        """Return a client whose POSTs are recorded; a patient one knows that the service exists."""
        recorder = Recorder(self._history(), self._urls)
        client = Client(self._urls[0], api_key=self._api_key, transport=recorder)
        client._retries.has_responded = patient
        return client

    def post(
        self,
        *,
        seconds: float = 1.0,
        webhook: bool = True,
        key: str | None = None,
        patient: bool = True,
        **options: Any,
    ) -> Post:
        """Submit a job and follow it to its end, both in the background; `options` are the
        client's.

        Args:
            seconds: duration of the speech.
            webhook: whether to request a webhook.
            key: the Idempotency-Key; None: a new one.
            patient: whether to retry for half a minute, or to give up within a second or two.
        """
        post = Post(key or uuid4().hex)
        _write_portrait(self._folder / "portrait.png")
        _write_speech(self._folder / f"speech-{seconds:g}.wav", seconds)
        if webhook:
            options["webhook_url"] = self._webhook
        self._threads.submit(self._pursue, post, patient, seconds, options)
        return post

    def cancel(self, job_id: str) -> None:
        """Request once that a job be canceled."""
        with self.client() as client:
            status = _status(lambda: client.cancel(job_id))
        self._history().record(Canceled(job_id, status))

    def delete(self, job_id: str) -> None:
        """Delete a job."""
        self._history().record(Deleted(job_id))
        with self.client() as client:
            client.delete(job_id)

    def close(self) -> None:
        """Stop waiting for callers."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _pursue(self, post: Post, patient: bool, seconds: float, options: dict[str, Any]) -> None:
        try:
            with self.client(patient=patient) as client:
                job_id = self._submit(client, post.key, seconds, options)
                post.accepted.set_result(job_id)
                post.ended.set_result(self._follow(client, job_id))
        except Exception as error:
            # Callers waiting for the submission get the error.
            for future in (post.accepted, post.ended):
                if not future.done():
                    future.set_exception(error)

    def _submit(self, client: Client, key: str, seconds: float, options: dict[str, Any]) -> str:
        portrait = self._folder / "portrait.png"
        speech = self._folder / f"speech-{seconds:g}.wav"
        try:
            job = client.submit(portrait, speech, consent=True, idempotency_key=key, **options)
        except AmigoError as error:
            self._history().record(GivenUp(key, repr(error)))
            raise
        return job.id

    def _follow(self, client: Client, job_id: str) -> JobView:
        try:
            for _ in range(FOLLOWED_AGAIN):
                with suppress(Unreachable):
                    return self._follow_once(client, job_id)
            return self._follow_once(client, job_id)
        except AmigoError as error:
            self._history().record(Lost(job_id, repr(error)))
            raise

    def _follow_once(self, client: Client, job_id: str) -> JobView:
        history = self._history()
        for job in client.follow(job_id):
            history.record(Seen(job_id, job.status, job.progress, job.stage))
        return job


def _status(call: Callable[[], object]) -> int:
    try:
        call()
    except ApiProblem as problem:
        return problem.status
    except AmigoError:
        return 0
    return 200
