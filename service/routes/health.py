"""Endpoints for machines: liveness, readiness and metrics."""

from collections.abc import Callable

from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from jobs.errors import JobsError
from service.dependencies import AppComponents
from service.documents.openapi import problem_responses
from service.documents.schemas import Liveness, Readiness
from service.problems import Problem, ProblemType

router = APIRouter(tags=["operations"])


@router.get("/livez", summary="Does the process live", response_description="It does.")
async def read_liveness() -> Liveness:
    """Return 200 as long as the process responds, without checking any component."""
    return Liveness()


@router.get(
    "/readyz",
    summary="Can jobs be accepted",
    response_description="Every component answers.",
    responses=problem_responses(ProblemType.NOT_READY),
)
def read_readiness(components: AppComponents) -> Readiness:
    """Return 200 if every component responds, otherwise 503 with the names of those that do not."""
    readiness = Readiness(
        store=_answers(components.store.ping), storage=_answers(components.storage.ping)
    )
    down = [name for name, answers in readiness if not answers]
    if down:
        raise Problem(
            ProblemType.NOT_READY,
            f"Down: {', '.join(down)}; all of them are needed.",
            headers={"Retry-After": str(components.settings.retry_seconds)},
            members={"components": readiness.model_dump()},
        )
    return readiness


@router.get(
    "/metrics",
    summary="Metrics for Prometheus",
    response_description="The metrics.",
    response_class=Response,
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
)
def read_metrics(components: AppComponents) -> Response:
    """Return requests by route and jobs by status in the Prometheus text format."""
    return Response(
        generate_latest(components.metrics.registry),
        headers={"Content-Type": CONTENT_TYPE_LATEST},
    )


def _answers(ping: Callable[[], None]) -> bool:
    try:
        ping()
    except JobsError:
        return False
    return True
