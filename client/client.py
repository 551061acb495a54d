"""Talks to a running service: post a job, follow it, fetch its video."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

import httpx
from pydantic import ValidationError

from client.errors import ApiProblem, JobUnfinished, Unreachable
from client.job_view import JobView

TIMEOUT = httpx.Timeout(60.0, connect=5.0)
POLL_SECONDS = 1.0  # unless the service names another pause
PATIENCE_SECONDS = 30.0  # how long `wait` bears a service that does not answer
CHUNK_BYTES = 1 << 16

Option = str | float | bool | None


class AmigoClient:
    """One service, by its base URL; close it, or use it in a `with` statement.

    Every method may raise ApiProblem or Unreachable.
    """

    def __init__(
        self,
        base_url: str = "http://127.0.0.1:8000",
        *,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._http = httpx.Client(base_url=base_url, timeout=TIMEOUT, transport=transport)

    def submit(self, portrait: Path, audio: Path, *, consent: bool, **options: Option) -> JobView:
        """Post a portrait and a speech clip and return the queued job.

        Args:
            portrait: a JPEG, PNG or WEBP file that shows a face.
            audio: a recording of speech.
            consent: that you have the right to animate this face and voice.
            options: emotion, intensity, pose, blink, seed; None stands for the default.
        """
        chosen = {**options, "consent": consent}
        with portrait.open("rb") as picture, audio.open("rb") as speech, self._translated_errors():
            response = self._http.post(
                "/v1/jobs",
                data={name: _text(value) for name, value in chosen.items() if value is not None},
                files={"portrait": (portrait.name, picture), "audio": (audio.name, speech)},
            )
        return _job(response)

    def get(self, job_id: str) -> JobView:
        """Return the job as it stands."""
        return self._look(job_id)[0]

    def wait(
        self,
        job_id: str,
        on_progress: Callable[[JobView], None] = lambda _: None,
        timeout: float = float("inf"),
    ) -> JobView:
        """Follow the job until it ends, through short outages of the service.

        Args:
            job_id: the job.
            on_progress: called with every new look at the job, the last included.
            timeout: seconds until JobUnfinished is raised.

        Raises:
            JobUnfinished: the job did not end in time.
        """
        deadline = time.monotonic() + timeout
        bearable = time.monotonic() + PATIENCE_SECONDS
        while True:
            pause = POLL_SECONDS
            try:
                job, pause = self._look(job_id)
            except (Unreachable, ApiProblem) as error:
                if not _may_pass(error) or time.monotonic() > bearable:
                    raise
            else:
                bearable = time.monotonic() + PATIENCE_SECONDS
                on_progress(job)
                if job.has_ended:
                    return job
            if time.monotonic() + pause > deadline:
                raise JobUnfinished(f"Job {job_id} did not end within {timeout:g} s.")
            time.sleep(pause)

    def cancel(self, job_id: str) -> JobView:
        """Cancel the job and return it."""
        with self._translated_errors():
            return _job(self._http.post(f"/v1/jobs/{job_id}/cancel"))

    def download_video(self, job_id: str, path: Path) -> Path:
        """Save the finished video, whole or not at all, and return its path."""
        unfinished = path.with_name(f"{path.name}.part")
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with (
                self._translated_errors(),
                self._http.stream(
                    "GET", f"/v1/jobs/{job_id}/video", follow_redirects=True
                ) as response,
            ):
                _require_success(response)
                with unfinished.open("wb") as file:
                    for chunk in response.iter_bytes(CHUNK_BYTES):
                        file.write(chunk)
            return unfinished.replace(path)
        finally:
            unfinished.unlink(missing_ok=True)

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    @contextmanager
    def _translated_errors(self) -> Iterator[None]:
        try:
            yield
        except httpx.TransportError as error:
            raise Unreachable(f"{self._http.base_url} cannot be reached: {error}.") from error

    def _look(self, job_id: str) -> tuple[JobView, float]:
        """Return the job and the seconds to wait before the next look."""
        with self._translated_errors():
            response = self._http.get(f"/v1/jobs/{job_id}")
        return _job(response), _pause(response)


def _job(response: httpx.Response) -> JobView:
    _require_success(response)
    try:
        return JobView.model_validate_json(response.content)
    except ValidationError as error:
        raise Unreachable(f"{response.url} answers, but not like AMIGO.") from error


def _require_success(response: httpx.Response) -> None:
    if not response.is_success:
        response.read()
        raise ApiProblem.of(response)


def _may_pass(error: Unreachable | ApiProblem) -> bool:
    return isinstance(error, Unreachable) or error.status in (502, 503, 504)


def _pause(response: httpx.Response) -> float:
    """Return the seconds that the service asks for; a proxy may have put a date in their place."""
    try:
        return float(response.headers["Retry-After"])
    except (KeyError, ValueError):
        return POLL_SECONDS


def _text(value: str | float | bool) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
