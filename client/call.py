"""One request as a value, and the dialogues that are made of them.

A dialogue is a generator: it yields calls, is sent their answers and returns what came of them.
It holds all that the client knows about the service and awaits nothing, so that one set of
dialogues serves both clients, which only carry calls to the service and answers back.
"""

from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeAlias, TypeVar, cast

import httpx

from client.errors import AmigoError
from client.job_request import File
from client.job_view import JobView
from client.partial_file import PartialFile

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
