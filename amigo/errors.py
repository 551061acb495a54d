"""What a caller of the service can meet.

AmigoError
├── ApiProblem       the service answered that it will not or cannot (RFC 9457)
├── Unreachable      nothing that talks like the service answered
├── JobUnfinished    the job did not end in the time it was given
└── ForgedWebhook    a webhook is not the service's, or too old to be believed
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Self

import httpx


class AmigoError(Exception):
    """Anything that keeps a caller from a video."""


class ApiProblem(AmigoError):
    """The service answered that it will not or cannot.

    Attributes:
        status: the HTTP status.
        code: stable, for programs: `no_face`, `job_not_found`...
        detail: a sentence for people: what was given and what is accepted.
        retry_after: seconds until it is worth another try; None when the service named none.
        document: the whole problem, with the members that only some kinds have.
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
        """Return the problem that a response with an error status tells."""
        retry_after = _retry_after(response.headers)
        try:
            return cls.told(response.status_code, response.json(), retry_after)
        except (ValueError, KeyError, TypeError):  # a proxy's page rather than the service's answer
            phrase = f"{response.status_code} {response.reason_phrase}".strip()
            sentence = f"{response.url} answered {phrase}."
            return cls(response.status_code, "http_error", sentence, retry_after)

    @classmethod
    def told(
        cls, status: int, document: Mapping[str, Any], retry_after: float | None = None
    ) -> Self:
        """Return the problem that a document of problem details tells.

        Raises:
            KeyError, TypeError: it is no such document.
        """
        return cls(status, document["code"], document["detail"], retry_after, document)


class Unreachable(AmigoError):
    """Nothing that talks like the service answered.

    Attributes:
        may_pass: whether it may answer in a while; no wait mends an address that is none.
    """

    def __init__(self, sentence: str, *, may_pass: bool = False) -> None:
        super().__init__(sentence)
        self.may_pass = may_pass

    @classmethod
    def of(cls, url: httpx.URL, error: httpx.RequestError) -> Self:
        """Return what an error of the transport means."""
        passing = isinstance(error, httpx.TransportError)
        hopeless = isinstance(error, httpx.UnsupportedProtocol)
        reason = str(error).rstrip(".")
        return cls(f"{url} cannot be reached: {reason}.", may_pass=passing and not hopeless)


class JobUnfinished(AmigoError):
    """The job did not end in the time it was given; it may still."""


class ForgedWebhook(AmigoError):
    """A webhook is not the service's, or too old to be believed."""


def require_success(response: httpx.Response) -> httpx.Response:
    """Return the answer; one that changed nothing since the last look is a success too.

    Raises:
        ApiProblem: it is a refusal.
    """
    if response.is_success or response.status_code == httpx.codes.NOT_MODIFIED:
        return response
    raise ApiProblem.of(response)


def _retry_after(headers: httpx.Headers) -> float | None:
    """Return the seconds that an answer asks for, as a number or (RFC 9110) as a date."""
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
