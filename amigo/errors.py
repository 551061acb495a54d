"""Errors raised by the client.

AmigoError
├── ApiProblem       the service responded with an error (RFC 9457)
├── Unreachable      no service responded
├── JobUnfinished    the job did not end in time
└── ForgedWebhook    a webhook has no valid signature, or is too old
"""

import ssl
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Self

import httpx


class AmigoError(Exception):
    """Base class of the client's errors."""


class ApiProblem(AmigoError):
    """The service responded with an error.

    Attributes:
        status: the HTTP status.
        code: stable code for programs: `no_face`, `job_not_found`...
        detail: a sentence that explains what was given and what is accepted.
        retry_after: seconds to wait before a retry; None if the service gave none.
        document: the whole problem, including additional members.
    """

    def __init__(
        self,
        status: int,
        code: str,
        detail: str,
        retry_after: float | None = None,
        document: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(f"{detail} ({code})")
        self.status = status
        self.code = code
        self.detail = detail
        self.retry_after = retry_after
        self.document = document or {}

    @classmethod
    def of(cls, response: httpx.Response) -> Self:
        """Return the problem given by an error response."""
        retry_after = _retry_after(response.headers)
        try:
            return cls.from_document(response.status_code, response.json(), retry_after)
        except (
            ValueError,
            KeyError,
            TypeError,
        ):  # a proxy's page rather than the service's response
            phrase = f"{response.status_code} {response.reason_phrase}".strip()
            sentence = f"{response.url} responded with {phrase}."
            return cls(response.status_code, "http_error", sentence, retry_after)

    @classmethod
    def from_document(
        cls, status: int, document: Mapping[str, Any], retry_after: float | None = None
    ) -> Self:
        """Return the problem given by a problem details document.

        Raises:
            KeyError, TypeError: the document has another format.
        """
        return cls(status, document["code"], document["detail"], retry_after, document)


class Unreachable(AmigoError):
    """No service responded.

    Attributes:
        may_pass: whether a retry may help; it does not if the URL is invalid.
        is_absent: whether nothing accepted a connection, so the service may not be running.
    """

    def __init__(self, sentence: str, *, may_pass: bool = False, is_absent: bool = False) -> None:
        super().__init__(sentence)
        self.may_pass = may_pass
        self.is_absent = is_absent

    @classmethod
    def of(cls, url: httpx.URL, error: httpx.RequestError) -> Self:
        """Translate a transport error."""
        passing = isinstance(error, httpx.TransportError)
        hopeless = isinstance(error, httpx.UnsupportedProtocol)
        absent = isinstance(error, (httpx.ConnectError, httpx.ConnectTimeout))
        absent = absent and not _is_about_tls(error)
        address = str(url).rstrip("/")
        reason = str(error).rstrip(".") or type(error).__name__
        beginning = (
            f"Nothing answers at {address}" if absent else f"The connection to {address} failed"
        )
        return cls(f"{beginning}: {reason}.", may_pass=passing and not hopeless, is_absent=absent)


class JobUnfinished(AmigoError):
    """The job did not end in time; it may still end."""


class ForgedWebhook(AmigoError):
    """A webhook has no valid signature, or is too old."""


def require_success(response: httpx.Response) -> httpx.Response:
    """Return a successful response, including one for an unchanged job.

    Raises:
        ApiProblem: the response is an error.
    """
    if response.is_success or response.status_code == httpx.codes.NOT_MODIFIED:
        return response
    raise ApiProblem.of(response)


def _is_about_tls(error: BaseException | None) -> bool:
    """Return whether an error comes from TLS, after a connection was accepted."""
    while error is not None:
        if isinstance(error, ssl.SSLError):
            return True
        error = error.__cause__ or error.__context__
    return False


def _retry_after(headers: httpx.Headers) -> float | None:
    """Return the delay requested by a response in seconds, from a number or a date (RFC 9110)."""
    asked = headers.get("Retry-After", "")
    try:
        return max(0.0, float(asked))
    except ValueError:
        return _seconds_until(asked)


def _seconds_until(date: str) -> float | None:
    try:
        moment = parsedate_to_datetime(date)
    except ValueError:
        return None
    return max(0.0, (moment.astimezone(UTC) - datetime.now(UTC)).total_seconds())
