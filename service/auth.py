"""Authentication: the API key of a request, its scopes and its rate limit."""

from typing import Annotated, Any

from fastapi import Depends, Header, Path, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.security import APIKeyQuery, HTTPAuthorizationCredentials, HTTPBearer

from jobs.errors import JobNotFound, KeyInvalid
from jobs.job import Job
from jobs.signatures import UrlToken
from jobs.valkey.api_keys import ApiKey, Scope
from jobs.values import utc_now
from service.caller import ANYONE, Caller
from service.dependencies import AppComponents, Components
from service.documents.openapi import URL_TOKEN
from service.middleware.cross_origin import refuse_foreign_pages
from service.middleware.observation import note
from service.problems import Problem, ProblemType
from service.rate_limits import LimitStatus, RequestLimits, note_job_limit, note_request_limit

AUTHORIZATION_PROBLEMS = (
    ProblemType.KEY_MISSING,
    ProblemType.KEY_INVALID,
    ProblemType.ORIGIN_REFUSED,
    ProblemType.SCOPE_MISSING,
    ProblemType.RATE_LIMITED,
)

_READS = frozenset({Scope.JOBS_READ})
_CHALLENGE = 'Bearer realm="amigo"'
_bearer = HTTPBearer(
    auto_error=False,
    bearerFormat="amigo_…_…",
    description="An API key. A standalone system on its owner's machine requires none.",
)
_url_token = APIKeyQuery(
    name="token",
    scheme_name=URL_TOKEN,
    auto_error=False,
    description="A token from `POST /v1/tokens`, for clients that cannot send headers.",
)


async def require_caller(
    request: Request,
    credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)],
    url_token: Annotated[str | None, Depends(_url_token)],
) -> None:
    """Admit the request's caller, as `admit` does."""
    await admit(request, credentials, url_token)


async def admit_plain(request: Request) -> None:
    """Admit the caller of a request without a query, as `admit` does."""
    await admit(request, await _bearer(request), None)


async def admit(
    request: Request, credentials: HTTPAuthorizationCredentials | None, url_token: str | None
) -> None:
    """Find out who the caller is, for `caller_of`; called once per request, which counts towards
    the rate limit.

    Raises:
        Problem: the API key is missing, invalid or over its rate limit; or no API key is required,
            but a page of another site sent the request.
    """
    components: Components = request.app.state.components
    settings = components.settings
    if url_token is not None and credentials is None:
        caller = await run_in_threadpool(_admit_url, request, components, url_token)
    elif settings.authentication == "open":
        refuse_foreign_pages(request, settings.cors_origins)
        caller = ANYONE
    elif credentials is not None:
        caller = await run_in_threadpool(_admit, request, components, credentials.credentials)
    else:
        raise _refusal(
            ProblemType.KEY_MISSING,
            "The request has no API key; the header `Authorization: Bearer amigo_…` is required.",
        )
    request.state.caller = caller


def caller_of(request: Request) -> Caller:
    """Return the caller of a request that `require_caller` has admitted."""
    caller: Caller = request.state.caller
    return caller


async def _caller(request: Request) -> Caller:
    return caller_of(request)


CallerDep = Annotated[Caller, Depends(_caller)]


def _admit(request: Request, components: Components, token: str) -> Caller:
    try:
        key = components.keys.verify(token)
    except KeyInvalid as error:
        raise _refusal(ProblemType.KEY_INVALID, str(error), 'error="invalid_token"') from error
    note(request.scope, key_id=key.id, tenant=key.tenant)
    _count_request(request, key, components.request_limits)
    return Caller.with_key(key)


def _admit_url(request: Request, components: Components, text: str) -> Caller:
    """Return the caller whose token is part of the URL; it can read, and only what it names."""
    try:
        token = components.signatures.verify(text, utc_now())
        _require_covered(token, request)
        if components.settings.authentication == "open":
            return Caller(token.tenant, _READS)
        key = components.keys.require_valid(token.key_id or "")
    except KeyInvalid as error:
        raise _refusal(ProblemType.KEY_INVALID, str(error)) from error
    note(request.scope, key_id=key.id, tenant=key.tenant)
    # Counted separately: holders of a URL must not use up the API key's limit.
    _count_request(request, key, components.request_limits, bucket=f"{key.id}:urls")
    return Caller(token.tenant, _READS, key.id, key.quota)


def _require_covered(token: UrlToken, request: Request) -> None:
    reads = request.method in ("GET", "HEAD")
    if not reads or token.job_id not in (None, request.path_params.get("job_id")):
        raise KeyInvalid("The token in the URL is not valid for this request.")


def require_scope(scope: Scope) -> Any:
    """Return an entry of `dependencies=[…]` for a route that requires this scope."""

    async def check(request: Request) -> None:
        check_scope(caller_of(request), scope)

    return Depends(check)


def check_scope(caller: Caller, scope: Scope) -> None:
    """Check that a caller has a scope.

    Raises:
        Problem: it has not.
    """
    if scope not in caller.scopes:
        given = f"the scopes {', '.join(sorted(caller.scopes))}" if caller.scopes else "no scopes"
        raise _refusal(
            ProblemType.SCOPE_MISSING,
            f"The API key has {given}; {scope} is required.",
            f'error="insufficient_scope", scope="{scope}"',
        )


async def report_quota(request: Request, caller: CallerDep, components: AppComponents) -> None:
    """Report what remains of the caller's jobs a day in the RateLimit headers."""
    ceiling = caller.quota.jobs_a_day
    if ceiling is not None:
        note_job_limit(
            request, lambda: LimitStatus.of_jobs(ceiling, components.store.usage(caller.key_id))
        )


def require_quota(
    caller: CallerDep,
    components: AppComponents,
    _: Annotated[None, Depends(report_quota)],
    idempotency_key: Annotated[str | None, Header(include_in_schema=False)] = None,
) -> None:
    """Reject a request before its upload if it would be rejected after it.

    Requests that may repeat an earlier one pass, because their job may already exist.

    Raises:
        LimitReached: a limit of the API key is reached for now.
    """
    if idempotency_key is None and caller.key_id is not None:
        components.store.require_quota(caller.key_id, caller.quota)


def _count_request(
    request: Request, key: ApiKey, limits: RequestLimits, bucket: str | None = None
) -> None:
    ceiling = key.quota.requests_a_minute
    if ceiling is None:
        return
    may_pass, status = limits.count(bucket or key.id, ceiling)
    note_request_limit(request, status)
    if not may_pass:
        raise Problem(
            ProblemType.RATE_LIMITED,
            f"The API key sent more than {ceiling} requests in a minute; the next one is "
            f"accepted in {status.wait} s.",
            headers={"Retry-After": str(status.wait)},
        )


def _refusal(type: ProblemType, detail: str, reason: str | None = None) -> Problem:
    challenge = ", ".join(filter(None, (_CHALLENGE, reason)))
    return Problem(type, detail, headers={"WWW-Authenticate": challenge})


_ID_CHARACTERS = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-")


async def _known_characters(
    job_id: Annotated[str, Path(description="The `id` from the job's document.")],
) -> str:
    return checked_id(job_id)


def checked_id(job_id: str) -> str:
    """Return an id whose characters are those of ids.

    Raises:
        JobNotFound: they are not, so there is no such job.
    """
    # An id becomes part of keys in the store, where a colon would lead elsewhere.
    if not _ID_CHARACTERS.issuperset(job_id):
        raise JobNotFound(f"{job_id!r} is not a valid job id.")
    return job_id


JobId = Annotated[str, Depends(_known_characters)]


def own_job(job_id: JobId, caller: CallerDep, components: AppComponents) -> Job:
    """Return the job given in the path.

    Raises:
        JobNotFound: there is none, or it belongs to another tenant; callers cannot distinguish
            these.
    """
    job = components.store.get(job_id)
    require_own(job, caller)
    return job


def require_own(job: Job, caller: Caller) -> None:
    """Check that a job belongs to the caller's tenant.

    Raises:
        JobNotFound: it does not.
    """
    if job.tenant != caller.tenant:
        raise JobNotFound(f"Job {job.id} does not belong to {caller.tenant}.")


OwnJob = Annotated[Job, Depends(own_job)]
"""The job that the path names, if it is the caller's own."""
