"""Assembles the app: routes, middleware and error handlers around the components."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version

from fastapi import Depends, FastAPI
from fastapi.routing import iter_route_contexts
from fastapi.telemetry import TelemetryConfig

from service.auth import AUTHORIZATION_PROBLEMS, require_caller
from service.dependencies import Components
from service.documents.openapi import (
    DESCRIPTION,
    TITLE,
    openapi_document,
    operation_id,
    problem_responses,
)
from service.error_handlers import install_error_handlers
from service.middleware.body_limit import BodyLimit
from service.middleware.compression import Compression
from service.middleware.cross_origin import allow_origins
from service.middleware.head_requests import HeadRequests
from service.middleware.observation import Observation
from service.middleware.security_headers import SecurityHeaders
from service.rate_limits import RateLimitHeaders
from service.routes import (
    assets,
    checks,
    creation,
    events,
    health,
    jobs,
    pages,
    polling,
    problems,
    results,
    stream,
    tokens,
    usage,
    webhooks,
)
from service.settings import ServiceSettings

GUARDED = (
    polling.router,
    creation.router,
    checks.router,
    jobs.router,
    events.router,
    results.router,
    stream.router,
    assets.router,
    tokens.router,
    usage.router,
    webhooks.router,
)
"""Routes for callers, which check the API key before anything else. They are tried in order; polls,
the most frequent requests, come first.
"""

NO_TELEMETRY: TelemetryConfig = {"tracing": False, "metrics": False, "logs": False}
"""FastAPI's own spans contain the query, in which URLs carry tokens; `Observation` makes ours."""

PUBLIC = (health.router, problems.router, checks.public, pages.router)


def create_app(settings: ServiceSettings, components: Components | None = None) -> FastAPI:
    """Return the app with the given components, or with those from the settings."""
    app = FastAPI(
        title=TITLE,
        description=DESCRIPTION,
        version=version("amigo"),
        docs_url=None,
        redoc_url=None,
        # It would redirect to whatever host the caller claims.
        redirect_slashes=False,
        lifespan=_lifespan,
        generate_unique_id_function=operation_id,
        telemetry=NO_TELEMETRY,
    )
    app.state.components = components or Components.connect(settings)
    for router in GUARDED:
        app.include_router(
            router,
            dependencies=[Depends(require_caller)],
            responses=problem_responses(*AUTHORIZATION_PROBLEMS),
        )
    for router in PUBLIC:
        app.include_router(router)
    # The framework would do it at the first request, and not safely for several at once.
    list(iter_route_contexts(app.routes))
    app.webhooks.include_router(webhooks.sent)
    pages.mount_assets(app)
    install_error_handlers(
        app, [route for router in (*GUARDED, *PUBLIC) for route in router.routes]
    )
    app.openapi = lambda: openapi_document(app)  # type: ignore[method-assign]
    # The middleware added last is the first to see a request.
    app.add_middleware(Compression)
    app.add_middleware(HeadRequests)
    app.add_middleware(BodyLimit, max_bytes=settings.body_max_bytes)
    app.add_middleware(RateLimitHeaders)
    app.add_middleware(Observation)
    allow_origins(app, settings.cors_origins)
    app.add_middleware(SecurityHeaders)
    return app


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    components: Components = app.state.components
    with components.decoder, components.finder:
        async with components.watcher.running():
            yield
