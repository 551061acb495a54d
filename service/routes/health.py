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


@router.get("/livez", summary="Liveness probe", response_description="The process is alive.")
async def read_liveness() -> Liveness:
    """Return 200 as long as the process responds, without checking any component."""
    return Liveness()


@router.get(
    "/readyz",
    summary="Readiness probe",
    response_description="All components are available.",
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
            f"Unavailable: {', '.join(down)}; all components are required.",
            headers={"Retry-After": str(components.settings.retry_seconds)},
            members={"components": readiness.model_dump()},
        )
    return readiness


@router.get(
    "/metrics",
    summary="Prometheus metrics",
    response_description="The metrics in the Prometheus text format.",
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
