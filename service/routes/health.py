"""Endpoints for machines: liveness, readiness and metrics."""

from collections.abc import Callable

from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from jobs.errors import JobsError, StoreReadOnly
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
    outages = {"store": _outage(components.store.ping), "storage": _outage(components.storage.ping)}
    readiness = Readiness(**{name: outage is None for name, outage in outages.items()})
    down = [f"{name}{outage}" for name, outage in outages.items() if outage is not None]
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


def _outage(ping: Callable[[], None]) -> str | None:
    """Return None if a component is available, otherwise what to add to its name."""
    try:
        ping()
    except StoreReadOnly:
        return " (refuses writes)"
    except JobsError:
        return ""
    return None
