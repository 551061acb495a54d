"""What Schemathesis is told of our interface that no schema can say.

A URL must lead to the open internet, and a request's key must be its own: then what fits the
schema is accepted, but for files, which are made up of any bytes.
"""

import re
from itertools import count
from typing import Any

import schemathesis
from hypothesis import strategies
from schemathesis import Case, HookContext, Response
from schemathesis.core.failures import Failure

from jobs.valkey.listing import Cursor

OF_FILES = ("portrait_", "audio_", "no_audio_stream", "empty_part")
"""What the codes begin with that tell what is wrong with the bytes of a file."""

URLS = ("https://example.com/a", "https://example.org/b?c=d")

schemathesis.openapi.format("uri", strategies.sampled_from(URLS))
schemathesis.openapi.format("cursor", strategies.just(str(Cursor(1_795_348_800_000, "job_a"))))

_GOOD_KEY = re.compile(r"[\x21-\x7e]{1,200}")
_numbers = count()


@schemathesis.hook
def before_call(context: HookContext, case: Case[Any], kwargs: dict[str, Any]) -> None:
    """Send each good Idempotency-Key once, and have no answer held back."""
    if 0 < _whole_number(case.query.get("wait")) <= 60:
        case.query["wait"] = 0
    if "wait" in case.headers.get("prefer", ""):
        case.headers["prefer"] = "respond-async"
    key = case.headers.get("Idempotency-Key", "")
    if _GOOD_KEY.fullmatch(key):
        case.headers["Idempotency-Key"] = f"{next(_numbers)}-{key}"


@schemathesis.hook
def filter_failure(
    context: HookContext, failure: Failure, case: Case[Any], response: Response
) -> bool:
    """Let files be refused that are no pictures and no sounds."""
    return response.status_code != 422 or not response.json()["code"].startswith(OF_FILES)


def _whole_number(value: object) -> int:
    return int(value) if isinstance(value, int | str) and str(value).isdecimal() else 0
