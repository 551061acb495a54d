"""Schemathesis hooks for rules of the API that no schema can express.

URLs must lead to the public internet, and each request needs its own Idempotency-Key. With these,
any input that matches the schema is accepted, except for files, which contain random bytes, and for
inputs that are not given in exactly one way.
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
"""Prefixes of the codes that report an invalid file."""

OF_INPUTS = ("missing_part", "several_sources", "consent_required")
"""Codes of rules that the schema leaves out for the sake of client generators."""

URLS = ("https://example.com/a", "https://example.org/b?c=d")

schemathesis.openapi.format("uri", strategies.sampled_from(URLS))
schemathesis.openapi.format("cursor", strategies.just(str(Cursor(1_795_348_800_000, "job_a"))))

_GOOD_KEY = re.compile(r"[\x21-\x7e]{1,200}")
_numbers = count()


@schemathesis.hook
def before_call(context: HookContext, case: Case[Any], kwargs: dict[str, Any]) -> None:
    """Send each valid Idempotency-Key once, and avoid delayed responses."""
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
    """Allow files to be rejected that are not pictures or recordings, and inputs not given once."""
    return response.status_code != 422 or not response.json()["code"].startswith(
        OF_FILES + OF_INPUTS
    )


def _whole_number(value: object) -> int:
    return int(value) if isinstance(value, int | str) and str(value).isdecimal() else 0
