"""A caller's request for a job, as a form or as JSON."""

import hashlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    Field,
    JsonValue,
    ValidationError,
    ValidationInfo,
)
from pydantic_core import ErrorDetails, to_json

from jobs.consent import STATEMENT
from jobs.errors import UrlRefused
from jobs.job import Priority
from jobs.options import Face, Metadata, Options
from jobs.urls import MAX_LENGTH, UrlRules
from jobs.values import Value, WebhookEventType
from service.problems import Problem, ProblemType

InputName = Literal["portrait", "audio"]

INPUTS: tuple[InputName, ...] = ("portrait", "audio")
"""The inputs of a video; each comes as a file, from a URL or from an asset."""

MAX_BATCH = 100
"""Maximum number of requests in a batch."""

_MAX_ERRORS = 5

_SHOULD_BE = "Input should be "
"""How most of pydantic's messages begin."""

_KEY = "[key]"
"""How pydantic marks the place of an error in the name of a value, such as one of the metadata."""

_YES = frozenset({"true", "1", "on", "yes"})


def _follow(url: str, info: ValidationInfo) -> str:
    rules = info.context
    try:
        (rules if isinstance(rules, UrlRules) else UrlRules()).check(url)
    except UrlRefused as error:
        raise ValueError(str(error)) from error
    return url


# The URL rules reject long values themselves: pydantic's error would quote the URL and its
# signature.
_URL_SCHEMA = {"format": "uri", "maxLength": MAX_LENGTH}
FollowedUrl = Annotated[str, Field(json_schema_extra=_URL_SCHEMA), AfterValidator(_follow)]
AssetId = Annotated[str, Field(max_length=60)]


class JobRequest(Options):
    """All fields of a request except its files."""

    priority: Priority = Field(Priority.NORMAL, description="Jobs of a higher priority run first.")
    webhook_url: FollowedUrl | None = Field(None, description="URL to notify when the job ends.")
    webhook_events: tuple[WebhookEventType, ...] = Field(
        (),
        description="Events to send to `webhook_url`; all if empty. Comma-separated in a form.",
    )
    metadata: Metadata = Field(
        {},
        description="Up to 16 name-value pairs of your choice; in a form, a JSON object as text.",
    )
    portrait_url: FollowedUrl | None = Field(
        None, description="URL of the portrait, instead of a file."
    )
    portrait_asset: AssetId | None = Field(
        None, description="Id of an uploaded portrait, instead of a file."
    )
    audio_url: FollowedUrl | None = Field(None, description="URL of the audio, instead of a file.")
    audio_asset: AssetId | None = Field(
        None, description="Id of an uploaded audio file, instead of a file."
    )

    @property
    def options(self) -> Options:
        """The options for the video."""
        return Options(**{name: getattr(self, name) for name in Options.model_fields})

    def asset(self, name: InputName) -> str | None:
        """Return the asset of an input, or None."""
        asset_id: str | None = getattr(self, f"{name}_asset")
        return asset_id

    def fingerprint(self, digests: Mapping[str, str]) -> str:
        """Return a SHA-256 that is equal for equal requests.

        Args:
            digests: the digest of each input that was sent as a file.
        """
        # Defaults do not count, so that adding an option does not change existing digests.
        asked = self.model_dump(mode="json", exclude_defaults=True)
        ordered = sorted({**asked, "files": dict(sorted(digests.items()))}.items())
        return hashlib.sha256(to_json(ordered)).hexdigest()


class CheckRequest(Value):
    """The options of a check, as those of a job."""

    face: Face = Field("largest", description="Which face to animate if there are several.")


class BatchRequest(Value):
    """Several requests at once, with inputs from URLs and assets."""

    jobs: list[dict[str, Any]] = Field(min_length=1, max_length=MAX_BATCH)


FIELDS = tuple(JobRequest.model_fields)


def read_request(
    values: Mapping[str, Any],
    rules: UrlRules,
    files: Collection[str] | None = None,
    data: Collection[str] = (),
) -> JobRequest:
    """Return the validated request, with defaults for omitted values.

    Args:
        values: by name; a form's texts or JSON values.
        rules: which URLs are allowed.
        files: names of the inputs sent as files; None if the request is not a form, so that
            `values` have JSON types.
        data: names of the inputs that a JSON request contained as data URLs.

    Raises:
        Problem: a name or a value is invalid, consent is missing, or an input is not given in
            exactly one way.
    """
    refuse_unknown(values)
    is_form = files is not None
    _require_consent(values.get("consent"), is_form=is_form)
    asked = to_json({**values, "consent": True})
    try:
        request = JobRequest.model_validate_json(asked, strict=not is_form, context=rules)
    except ValidationError as error:
        raise _invalid_options(error.errors()) from error
    for name in INPUTS:
        _require_one_source(request, name, is_file=name in (files or data))
    return request


def read_batch(body: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the values of each request in a batch.

    Raises:
        Problem: the body is not a batch.
    """
    try:
        return BatchRequest.model_validate(body).jobs
    except ValidationError as error:
        raise Problem(
            ProblemType.INVALID_REQUEST,
            f"{describe_errors(error.errors())} A batch is an object with `jobs`, a list of 1 "
            f"to {MAX_BATCH} objects.",
        ) from error


def read_check(values: Mapping[str, Any]) -> CheckRequest:
    """Return the validated options of a check, from the texts of a form.

    Raises:
        Problem: a value is invalid.
    """
    try:
        return CheckRequest.model_validate(values)
    except ValidationError as error:
        raise _invalid_options(error.errors()) from error


def refuse_unknown(
    names: Collection[str], also: Collection[str] = (), fields: Collection[str] = FIELDS
) -> None:
    """Check that every name is one of `fields`, or one of `also`.

    Raises:
        Problem: some are not.
    """
    unknown = sorted({name for name in names if name not in fields and name not in also})
    if unknown:
        raise Problem(
            ProblemType.UNKNOWN_OPTION,
            f"Unknown: {', '.join(map(quote, unknown[:5]))}. The accepted files are "
            f"{' and '.join(INPUTS)}; the accepted options are {', '.join(fields)}.",
        )


def invalid_option(name: str, sentence: str) -> Problem:
    """Return the error message for one option's value."""
    return Problem(ProblemType.INVALID_OPTION, sentence, members={"options": {name: sentence}})


def quote(value: JsonValue, length: int = 60) -> str:
    """Quote a caller's value, shortened so that responses do not grow with it."""
    if isinstance(value, str):
        return repr(value if len(value) <= length else f"{value[:length]}…")
    text = repr(value)
    return text if len(text) <= length else f"{text[:length]}…"


def describe_errors(errors: Sequence[Any]) -> str:
    """Return the first validation errors, so that responses do not grow with their number."""
    return " ".join(
        f"{'.'.join(map(str, error['loc']))[:60]}: {error['msg']}."
        for error in errors[:_MAX_ERRORS]
    )


def _require_consent(consent: JsonValue, *, is_form: bool) -> None:
    is_yes = is_form and isinstance(consent, str) and consent.strip().lower() in _YES
    is_given = consent is True or is_yes
    if not is_given:
        given = "is missing" if consent is None else f"is {quote(consent)}"
        raise Problem(
            ProblemType.CONSENT_REQUIRED,
            f"The option consent {given}; only true is accepted, which affirms “{STATEMENT}”",
        )


def _require_one_source(request: JobRequest, name: InputName, *, is_file: bool) -> None:
    sources = {
        f"the file {name}": is_file,
        **{
            field: getattr(request, field) is not None for field in (f"{name}_url", f"{name}_asset")
        },
    }
    given = [source for source, is_given in sources.items() if is_given]
    accepted = f"one of {', '.join(sources)} is required"
    if not given:
        raise Problem(ProblemType.MISSING_PART, f"The {name} is missing; {accepted}.")
    if len(given) > 1:
        raise Problem(
            ProblemType.SEVERAL_SOURCES,
            f"The {name} was given as {' and as '.join(given)}; exactly {accepted}.",
        )


def _invalid_options(errors: list[ErrorDetails]) -> Problem:
    sentences = dict(_sentences(errors))
    return Problem(
        ProblemType.INVALID_OPTION, " ".join(sentences.values()), members={"options": sentences}
    )


def _sentences(errors: list[ErrorDetails]) -> Iterator[tuple[str, str]]:
    for error in errors:
        name = str(error["loc"][0])
        if error["type"] == "value_error":
            yield name, f"The option {name} is invalid: {error['ctx']['error']}"
        else:
            given, message = quote(error["input"]), error["msg"]
            rule = f"; it must be {message.removeprefix(_SHOULD_BE)}"
            reason = rule if message.startswith(_SHOULD_BE) else f". {message}"
            yield name, f"{_place(error['loc'])} is {given}{reason}."


def _place(loc: tuple[int | str, ...]) -> str:
    name, *inner = loc
    if inner[-1:] == [_KEY]:
        return f"A name in the option {name}"
    return f"The option {name}{''.join(f'[{str(part)[:60]}]' for part in inner)}"
