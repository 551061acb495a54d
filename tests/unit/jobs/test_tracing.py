import logging
import sys

import pytest
from opentelemetry.trace import SpanKind

from jobs.job import Job
from jobs.options import Options
from jobs.tracing import current_traceparent, job_span, log_fields_of, start_tracing, trace_id

TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def job(traceparent: str | None) -> Job:
    return Job.create(Options(consent=True), traceparent=traceparent)


def test_without_a_collector_a_callers_trace_is_passed_on() -> None:
    with job_span(job(TRACEPARENT), "attempt", SpanKind.CONSUMER) as span:
        assert current_traceparent() == TRACEPARENT
        assert trace_id(span) == "0af7651916cd43dd8448eb211c80319c"
    assert current_traceparent() is None


@pytest.mark.parametrize("traceparent", [None, "", "nonsense", f"00-{'0' * 32}-{'0' * 16}-01"])
def test_without_a_valid_context_there_is_no_trace(traceparent: str | None) -> None:
    with job_span(job(traceparent), "attempt", SpanKind.CONSUMER) as span:
        assert current_traceparent() is None
        assert trace_id(span) is None


def test_log_lines_about_a_job_name_its_trace_if_there_is_one() -> None:
    assert log_fields_of(job(TRACEPARENT))["trace_id"] == "0af7651916cd43dd8448eb211c80319c"
    assert log_fields_of(job(None))["trace_id"] is None


def test_a_collector_without_the_packages_is_reported(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace", None)
    with caplog.at_level(logging.WARNING):
        start_tracing("service")
    assert "install amigo[tracing]" in caplog.text
