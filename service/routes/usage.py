"""Usage of an API key, and its remaining limits."""

from fastapi import APIRouter, Depends, Request

from jobs.valkey.api_keys import Scope
from service.auth import CallerDep, report_quota, require_scope
from service.dependencies import AppComponents
from service.documents.openapi import problem_responses
from service.documents.schemas import UsageDocument, UsageLimitDocument
from service.problems import ProblemType
from service.rate_limits import LimitStatus, noted_request_limit

router = APIRouter(prefix="/v1/usage", tags=["usage"])


@router.get(
    "",
    summary="Get your usage",
    response_description="Today's usage and what remains of each limit.",
    dependencies=[require_scope(Scope.JOBS_READ), Depends(report_quota)],
    responses=problem_responses(ProblemType.STORE_UNAVAILABLE),
)
def read_usage(request: Request, caller: CallerDep, components: AppComponents) -> UsageDocument:
    """Return what your API key has used today (UTC) and what remains of its limits.

    Each API key has its own counts. A job that is deleted before it ends only counts as created.
    """
    usage = components.store.usage(caller.key_id)
    return UsageDocument.of(usage, caller.quota, _requests(noted_request_limit(request)))


def _requests(status: LimitStatus | None) -> UsageLimitDocument | None:
    if status is None:
        return None
    return UsageLimitDocument(limit=status.ceiling, remaining=status.remaining)
