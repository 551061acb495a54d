"""What a caller of the service can meet.

AmigoError
├── ApiProblem       the service answered that it will not or cannot (RFC 9457)
├── Unreachable      nothing that talks like the service answered
└── JobUnfinished    the job did not end in the time it was given
"""

from typing import Self

import httpx


class AmigoError(Exception):
    """Anything that keeps a caller from a video."""


class ApiProblem(AmigoError):
    """The service answered that it will not or cannot.

    Attributes:
        status: the HTTP status.
        code: stable, for programs: `no_face`, `job_not_found`...
        detail: a sentence for people: what was given and what is accepted.
    """

    def __init__(self, status: int, code: str, detail: str) -> None:
        super().__init__(f"{detail} ({code})")
        self.status = status
        self.code = code
        self.detail = detail

    @classmethod
    def of(cls, response: httpx.Response) -> Self:
        """Return the problem that a response with an error status tells."""
        try:
            document = response.json()
            return cls(response.status_code, document["code"], document["detail"])
        except (ValueError, KeyError, TypeError):  # a proxy's page rather than the service's answer
            phrase = f"{response.status_code} {response.reason_phrase}".strip()
            return cls(response.status_code, "http_error", f"{response.url} answered {phrase}.")


class Unreachable(AmigoError):
    """Nothing that talks like the service answered."""


class JobUnfinished(AmigoError):
    """The job did not end in the time it was given; it may still."""
