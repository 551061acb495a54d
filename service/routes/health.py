"""Endpoints for machines: liveness, readiness and metrics."""

from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

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
async def read_readiness(components: AppComponents) -> Readiness:
    """Return 200 if every component takes writes, otherwise 503 with the names of those that do
    not.

    The outcome of a check is returned for three seconds, and a component that does not respond is
    unavailable after as many. However often this is called, one check at a time is running.
    """
    outages = await components.readiness.outages()
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
