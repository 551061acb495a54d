"""A collector receives one trace of a job from all processes, and their logs name it."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from opentelemetry.proto_json.collector.trace.v1.trace_service import ExportTraceServiceRequest
from opentelemetry.proto_json.common.v1.common import KeyValue

from deploy.standalone.system import Standalone
from tests.integration.deploy.conftest import TENANT
from tests.media import babble, recording
from tests.servers import LocalServer, content, serving
from tests.service_examples import portrait
from tests.waiting import PATIENCE, wait_for

TRACE, CALLER = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


@dataclass(frozen=True)
class Received:
    """A span as the collector received it, with its ids in hexadecimal."""

    id: str
    parent: str
    attributes: dict[str, Any]


@dataclass(frozen=True)
class Traced:
    """A job that has ended, sent by a caller with a trace of its own."""

    job: dict[str, Any]
    spans: dict[str, Received]
    """By `process: name`."""
    webhook: dict[str, str]
    logs: Path

    def line(self, program: str, message: str) -> dict[str, Any]:
        """Return a line that a program logged in the trace."""
        lines = map(json.loads, (self.logs / f"{program}.log").read_text().splitlines())
        return next(
            line for line in lines if message in line["message"] and line.get("trace_id") == TRACE
        )


@pytest.fixture(scope="module")
def traced(
    system: Standalone, directory: Path, api_key: str, collector: LocalServer
) -> Iterator[Traced]:
    with serving(content(b"")) as receiver:
        job = submit(system.url, api_key, receiver.url)
        for last in ("service: POST /v1/jobs", "synthesis: attempt", "webhooks: webhook"):
            wait_for(lambda last=last: last in spans(collector))  # type: ignore[misc]
        yield Traced(job, spans(collector), receiver.asked[0].headers, directory / "logs")


def submit(url: str, api_key: str, webhook_url: str) -> dict[str, Any]:
    response = httpx.post(
        f"{url}/v1/jobs",
        files={"portrait": portrait(), "audio": recording(babble(1.0), "wav", "pcm_s16le")},
        data={"consent": "true", "webhook_url": webhook_url},
        headers={
            "traceparent": f"00-{TRACE}-{CALLER}-01",
            "Authorization": f"Bearer {api_key}",
        },
        timeout=PATIENCE,
    )
    job: dict[str, Any] = response.raise_for_status().json()
    return job


def spans(collector: LocalServer) -> dict[str, Received]:
    """Return the spans of the trace that the collector has received so far."""
    received: dict[str, Received] = {}
    for asked in collector.asked:
        assert asked.path == "/v1/traces"
        for group in ExportTraceServiceRequest.from_json(asked.body).resource_spans:
            assert group.resource is not None
            process = values(group.resource.attributes)["service.name"].removeprefix("amigo-")
            for span in (span for scope in group.scope_spans for span in scope.spans):
                ids = (span.trace_id, span.span_id, span.parent_span_id)
                trace, own, parent = ((each or b"").hex() for each in ids)
                found = Received(own, parent, values(span.attributes))
                if trace == TRACE:
                    received[f"{process}: {span.name}"] = found
    return received


def values(attributes: list[KeyValue]) -> dict[str, Any]:
    """Return attributes as a dictionary; numbers are strings in OTLP's JSON."""
    return {
        str(each.key): each.value.string_value or int(each.value.int_value or 0)
        for each in attributes
        if each.value is not None
    }


def test_one_trace_leads_from_the_request_to_the_webhook(traced: Traced) -> None:
    parents = {
        "service: POST /v1/jobs": None,
        "synthesis: queue": "service: POST /v1/jobs",
        "synthesis: attempt": "service: POST /v1/jobs",
        "synthesis: fetching": "synthesis: attempt",
        "synthesis: listening": "synthesis: attempt",
        "synthesis: rendering": "synthesis: attempt",
        "synthesis: storing": "synthesis: attempt",
        "webhooks: webhook": "service: POST /v1/jobs",
    }
    assert traced.spans.keys() == parents.keys()
    for name, parent in parents.items():
        assert traced.spans[name].parent == (traced.spans[parent].id if parent else CALLER), name


def test_its_spans_state_the_outcome(traced: Traced) -> None:
    attempt = traced.spans["synthesis: attempt"].attributes
    expected = {"amigo.job_id": traced.job["id"], "amigo.attempt": 1, "amigo.outcome": "succeeded"}
    assert attempt.items() >= expected.items()
    request = traced.spans["service: POST /v1/jobs"].attributes
    assert request["http.response.status_code"] == 202


def test_the_webhook_continues_the_trace(traced: Traced) -> None:
    sent = traced.spans["webhooks: webhook"].id
    assert traced.webhook["traceparent"] == f"00-{TRACE}-{sent}-01"


def test_every_process_logs_the_job_its_tenant_and_its_trace(traced: Traced) -> None:
    expected = {"job_id": traced.job["id"], "tenant": TENANT, "trace_id": TRACE}
    assert traced.line("service", "Request served").items() >= expected.items()
    for program, message in (("worker", "outcome=succeeded"), ("webhooks", "webhook delivered")):
        assert traced.line(program, message).items() >= {**expected, "attempt": 1}.items()
