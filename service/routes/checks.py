"""Checks of files before a job is created, and the limits on files."""

from fastapi import APIRouter, Request

from jobs.valkey.api_keys import Scope
from service.auth import require_scope
from service.dependencies import AppComponents
from service.documents.checks import CheckDocument, LimitsDocument
from service.documents.openapi import check_form_body, problem_responses
from service.intake.uploads import receive_check
from service.problems import ProblemType

router = APIRouter(prefix="/v1/checks", tags=["jobs"])
public = APIRouter(prefix="/limits", tags=["operations"])


@router.post(
    "",
    summary="Check a portrait and a speech clip before creating a job",
    response_description="The result for each file.",
    dependencies=[require_scope(Scope.JOBS_WRITE)],
    responses=problem_responses(
        ProblemType.MALFORMED_REQUEST,
        ProblemType.UPLOAD_INCOMPLETE,
        ProblemType.UPLOAD_TIMEOUT,
        ProblemType.BODY_TOO_LARGE,
        ProblemType.PORTRAIT_TOO_LARGE,
        ProblemType.AUDIO_TOO_LARGE,
        ProblemType.UNSUPPORTED_MEDIA_TYPE,
        ProblemType.UNSUPPORTED_CONTENT_ENCODING,
        ProblemType.INVALID_REQUEST,
        ProblemType.MISSING_PART,
        ProblemType.REPEATED_PART,
        ProblemType.EMPTY_PART,
        ProblemType.NOT_A_FILE,
        ProblemType.NOT_A_TEXT,
        ProblemType.UNKNOWN_OPTION,
        ProblemType.INVALID_OPTION,
        ProblemType.RATE_LIMITED,
        ProblemType.STORE_UNAVAILABLE,
        ProblemType.DECODER_UNAVAILABLE,
        ProblemType.CHECKS_UNAVAILABLE,
    ),
    openapi_extra=check_form_body(),
)
async def check_files(request: Request, components: AppComponents) -> CheckDocument:
    """Return the faces in the portrait, the length of the speech, and why a job would reject them.

    Nothing is stored or generated, so no consent is required. Only the job itself checks whether
    something covers the face.
    """
    async with receive_check(request, components.settings) as upload:
        return CheckDocument.of(await components.checks.check(upload))


@public.get(
    "",
    summary="Get the limits on files",
    response_description="The formats, sizes and lengths that are accepted.",
)
async def read_limits(components: AppComponents) -> LimitsDocument:
    """Return the formats, sizes and lengths that are accepted; no API key is required."""
    return LimitsDocument.of(components.settings)
