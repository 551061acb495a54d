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
from tests.media import babble, recording
from tests.servers import LocalServer, content, serving
from tests.service_examples import portrait
from tests.waiting import PATIENCE, wait_for

TRACE, CALLER = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


@dataclass(frozen=True)
class Received:
    """A span as the collector received it, with its ids in hexadecimal."""

    trace: str
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
        """Return a line of a program's log."""
        lines = map(json.loads, (self.logs / f"{program}.log").read_text().splitlines())
        return next(line for line in lines if message in line["message"])


@pytest.fixture(scope="module")
def traced(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Traced]:
    folder = tmp_path_factory.mktemp("tracing")
    with (
        serving(content(b"{}", Content_Type="application/json")) as collector,
        serving(content(b"")) as receiver,
        pytest.MonkeyPatch.context() as patch,
    ):
        for name, value in {
            "AMIGO_PIPELINE": "tests.integration.workers.pipelines:GreyPipeline",
            "AMIGO_DEVICE": "cpu",
            "AMIGO_LOCAL_URLS": "true",
            "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url,
            "OTEL_BSP_SCHEDULE_DELAY": "100",
        }.items():
            patch.setenv(name, value)
        with Standalone(folder, say=lambda _: None) as system:
            job = submit(system.url, receiver.url)
            wait_for(lambda: "webhooks: webhook" in spans(collector))
            wait_for(lambda: "synthesis: attempt" in spans(collector))
        yield Traced(job, spans(collector), receiver.asked[0].headers, folder / "logs")


def submit(url: str, webhook_url: str) -> dict[str, Any]:
    response = httpx.post(
        f"{url}/v1/jobs",
        files={"portrait": portrait(), "audio": recording(babble(1.0), "wav", "pcm_s16le")},
        data={"consent": "true", "webhook_url": webhook_url},
        headers={"traceparent": f"00-{TRACE}-{CALLER}-01"},
        timeout=PATIENCE,
    )
    job: dict[str, Any] = response.raise_for_status().json()
    return job


def spans(collector: LocalServer) -> dict[str, Received]:
    """Return the spans that the collector has received so far."""
    received: dict[str, Received] = {}
    for asked in collector.asked:
        assert asked.path == "/v1/traces"
        for group in ExportTraceServiceRequest.from_json(asked.body).resource_spans:
            assert group.resource is not None
            process = values(group.resource.attributes)["service.name"].removeprefix("amigo-")
            for span in (span for scope in group.scope_spans for span in scope.spans):
                ids = (span.trace_id, span.span_id, span.parent_span_id)
                trace, own, parent = ((each or b"").hex() for each in ids)
                found = Received(trace, own, parent, values(span.attributes))
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
    assert {span.trace for span in traced.spans.values()} == {TRACE}
    for name, parent in parents.items():
        assert traced.spans[name].parent == (traced.spans[parent].id if parent else CALLER), name


def test_its_spans_say_how_the_job_went(traced: Traced) -> None:
    attempt = traced.spans["synthesis: attempt"].attributes
    expected = {"amigo.job_id": traced.job["id"], "amigo.attempt": 1, "amigo.outcome": "succeeded"}
    assert attempt.items() >= expected.items()
    request = traced.spans["service: POST /v1/jobs"].attributes
    assert request["http.response.status_code"] == 202


def test_the_webhook_continues_the_trace(traced: Traced) -> None:
    sent = traced.spans["webhooks: webhook"].id
    assert traced.webhook["traceparent"] == f"00-{TRACE}-{sent}-01"


def test_every_process_logs_the_job_its_tenant_and_its_trace(traced: Traced) -> None:
    told = {"job_id": traced.job["id"], "tenant": "local", "trace_id": TRACE}
    assert traced.line("service", "Request served").items() >= told.items()
    for program, message in (("worker", "outcome=succeeded"), ("webhooks", "webhook delivered")):
        assert traced.line(program, message).items() >= {**told, "attempt": 1}.items()
