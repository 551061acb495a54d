"""Traces across processes, with OpenTelemetry: a job carries the trace context of its request.

The processes only use OpenTelemetry's API. Its SDK records and sends spans, if `amigo[tracing]` is
installed and a collector is configured. Without them, a caller's trace context still reaches the
logs and the webhook.
"""

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import Span, SpanKind, format_trace_id
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from jobs.job import Job

logger = logging.getLogger(__name__)

ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"
HEADER = "traceparent"
"""The HTTP header of W3C Trace Context (https://www.w3.org/TR/trace-context/)."""

TRACER = trace.get_tracer("amigo")

_PROPAGATOR = TraceContextTextMapPropagator()
_NANOSECONDS = 1_000_000_000


def start_tracing(process: str) -> None:
    """Send this process's spans to the collector at `OTEL_EXPORTER_OTLP_ENDPOINT`, if it is set."""
    if not os.environ.get(ENDPOINT):
        return
    try:
        from opentelemetry.exporter.otlp.json.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError:
        logger.warning("%s is set, but no spans are sent: install amigo[tracing].", ENDPOINT)
        return
    os.environ.setdefault("OTEL_SERVICE_NAME", f"amigo-{process}")
    provider = TracerProvider(resource=Resource.create({"service.version": version("amigo")}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(provider)


def stop_tracing() -> None:
    """Send the spans that are left, in a process that ends without Python's exit handlers."""
    shutdown = getattr(trace.get_tracer_provider(), "shutdown", None)
    if shutdown is not None:
        shutdown()


def records_spans() -> bool:
    """Return whether spans are recorded in this process."""
    return not isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider)


def parent(traceparent: str | None) -> Context:
    """Return the context in a `traceparent`; an empty one if it is missing or invalid."""
    return _PROPAGATOR.extract({HEADER: traceparent} if traceparent else {}, Context())


def current_traceparent() -> str | None:
    """Return the current context as a `traceparent`; None outside of a trace."""
    carrier: dict[str, str] = {}
    _PROPAGATOR.inject(carrier)
    return carrier.get(HEADER)


def trace_id(span: Span) -> str | None:
    """Return the id of a span's trace in hexadecimal; None without a trace."""
    context = span.get_span_context()
    return format_trace_id(context.trace_id) if context.is_valid else None


def log_fields_of(job: Job) -> dict[str, object]:
    """Return the fields of log lines about a job."""
    span = trace.get_current_span(parent(job.traceparent))
    return {
        "job_id": job.id,
        "tenant": job.tenant,
        "attempt": job.attempt,
        "trace_id": trace_id(span),
    }


@contextmanager
def job_span(job: Job, name: str, kind: SpanKind, **attributes: str | int) -> Iterator[Span]:
    """Make a step of a job the current span, in the trace of the job's request."""
    described = {"amigo.job_id": job.id, "amigo.tenant": job.tenant, **attributes}
    with TRACER.start_as_current_span(
        name, parent(job.traceparent), kind=kind, attributes=described
    ) as span:
        yield span


def record_queue_span(job: Job) -> None:
    """Record how long a job waited for its first attempt, which has just begun."""
    if job.attempt != 1 or job.claimed_at is None:
        return
    began, ended = (
        round(moment.timestamp() * _NANOSECONDS) for moment in (job.created_at, job.claimed_at)
    )
    span = TRACER.start_span(
        "queue", parent(job.traceparent), attributes={"amigo.job_id": job.id}, start_time=began
    )
    span.end(ended)
