"""Files within JSON: data URLs (RFC 2397), in Base64."""

import re
from base64 import b64decode
from collections.abc import Mapping
from io import BytesIO
from typing import Any, BinaryIO

from service.intake.requests import INPUTS, InputName, invalid_option
from service.problems import Problem, ProblemType
from service.settings import ServiceSettings

_HEAD = re.compile(r"data:[\w.+/-]*(?:;[\w.+-]+=[\w.+,-]+)*;base64,", re.IGNORECASE | re.ASCII)


def take_files(
    values: Mapping[str, Any], settings: ServiceSettings
) -> tuple[dict[str, Any], dict[InputName, BinaryIO]]:
    """Return the values without their data URLs, and the files that these contained, by input.

    Raises:
        Problem: a data URL is malformed, empty, or its file is too large.
    """
    rest, files = dict(values), dict[InputName, BinaryIO]()
    for name in INPUTS:
        url = values.get(f"{name}_url")
        if isinstance(url, str) and url[:5].lower() == "data:":
            del rest[f"{name}_url"]
            files[name] = BytesIO(_content(name, url, getattr(settings, f"{name}_max_bytes")))
    return rest, files


def _content(name: str, url: str, max_bytes: int) -> bytes:
    head = _HEAD.match(url)
    try:
        content = b64decode(url[head.end() :], validate=True) if head else None
    except ValueError:
        content = None
    if content is None:
        raise invalid_option(
            f"{name}_url",
            f"The option {name}_url is not a valid data URL; data:TYPE;base64,… is required.",
        )
    if not content:
        raise Problem(ProblemType.EMPTY_PART, f"The file {name} is empty.")
    if len(content) > max_bytes:
        raise Problem(
            ProblemType.with_code(f"{name}_too_large"),
            f"The file {name} exceeds the limit of {max_bytes} bytes.",
        )
    return content
