"""Tokens for URLs: short-lived, for browsers, which cannot send an API key everywhere."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request, status

from jobs.signatures import UrlToken, expiry
from jobs.valkey.api_keys import Scope
from jobs.values import utc_now
from service.auth import CallerDep, own_job, require_scope
from service.dependencies import AppComponents
from service.documents.openapi import problem_responses, token_request_body
from service.documents.schemas import TokenDocument, TokenRequest
from service.intake.json_body import receive_document
from service.problems import ProblemType

router = APIRouter(prefix="/v1/tokens", tags=["jobs"])


async def _wanted(request: Request, _: CallerDep, components: AppComponents) -> TokenRequest:
    return await receive_document(request, TokenRequest, components.settings)


@router.post(
    "",
    summary="Create a token for a browser",
    status_code=status.HTTP_201_CREATED,
    response_description="The token.",
    dependencies=[require_scope(Scope.JOBS_READ)],
    responses=problem_responses(
        ProblemType.MALFORMED_REQUEST,
        ProblemType.UPLOAD_INCOMPLETE,
        ProblemType.UPLOAD_TIMEOUT,
        ProblemType.JOB_NOT_FOUND,
        ProblemType.BODY_TOO_LARGE,
        ProblemType.UNSUPPORTED_MEDIA_TYPE,
        ProblemType.UNSUPPORTED_CONTENT_ENCODING,
        ProblemType.INVALID_REQUEST,
        ProblemType.RATE_LIMITED,
        ProblemType.STORE_UNAVAILABLE,
    ),
    openapi_extra=token_request_body(),
)
def create_token(
    wanted: Annotated[TokenRequest, Depends(_wanted)], caller: CallerDep, components: AppComponents
) -> TokenDocument:
    """Return a token that can read your jobs, or one of them, for up to an hour.

    Append it as `?token=` to the path of any GET request. `EventSource` and `<video>` then work
    without an API key in the page. Revoking the API key revokes the token.
    """
    if wanted.job_id is not None:
        own_job(wanted.job_id, caller, components)
    expires_at = expiry(utc_now(), wanted.seconds)
    token = UrlToken(
        tenant=caller.tenant,
        key_id=caller.key_id,
        job_id=wanted.job_id,
        expires=int(expires_at.timestamp()),
    )
    return TokenDocument(
        token=components.signatures.sign(token), job_id=wanted.job_id, expires_at=expires_at
    )
