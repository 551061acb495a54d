"""`amigo top` on the metrics of a service and of two workers."""

from rich.console import Console

from amigo.cli.top import Change, Scrape, parsed, screen

SERVICE = """
amigo_store_up 1
amigo_jobs{{status="queued"}} 3
amigo_jobs{{status="processing"}} 2
amigo_queue_oldest_seconds{{priority="high"}} 0
amigo_queue_oldest_seconds{{priority="normal"}} 41
amigo_http_requests_total{{method="GET",route="/v1/jobs",status="200"}} {requests}
"""

WORKER = """
amigo_build_info{{process="synthesis",version="1"}} 1
amigo_worker_job_seconds_count{{outcome="succeeded"}} {jobs}
amigo_worker_frames_rendered_total {frames}
amigo_worker_real_time_factor_count {jobs}
amigo_worker_real_time_factor_sum {work}
amigo_worker_job_failures_total{{code="no_face"}} 4
"""


def scrape(at: float, *texts: str, unreachable: tuple[str, ...] = ()) -> Scrape:
    return Scrape(at, tuple(sample for text in texts for sample in parsed(text)), unreachable)


def shown(before: Scrape, after: Scrape) -> dict[str, str]:
    """Return the lines of the screen by their names."""
    console = Console(width=100)
    with console.capture() as capture:
        console.print(screen(Change(before, after)))
    lines = capture.get().splitlines()
    return {line[1:19].strip(): line[19:].strip() for line in lines}


def test_what_workers_count_is_added_and_what_services_report_is_not() -> None:
    before = scrape(
        0.0,
        *2 * [SERVICE.format(requests=100)],
        *2 * [WORKER.format(jobs=10, frames=1000, work=30)],
    )
    after = scrape(
        10.0,
        *2 * [SERVICE.format(requests=150)],
        *2 * [WORKER.format(jobs=12, frames=1300, work=33)],
    )
    lines = shown(before, after)
    assert lines["jobs"].startswith("3 queued, 2 processing")
    assert lines["oldest queued"] == "normal 41 s"
    assert lines["workers"] == "2"
    assert lines["attempts a minute"] == "24.0"
    assert lines["frames a second"] == "60.0"
    assert lines["real-time factor"] == "1.50x"
    assert lines["requests a second"] == "10.0"
    assert lines["failed jobs"] == "no_face 8"
    assert lines["store"] == "responds"


def test_workers_that_nobody_named_are_not_counted_as_none() -> None:
    service = SERVICE.format(requests=100)
    assert "--metrics" in shown(scrape(0.0, service), scrape(1.0, service))["workers"]


def test_processes_that_do_not_respond_are_listed() -> None:
    lines = shown(scrape(0.0), scrape(1.0, unreachable=("http://127.0.0.1:1/metrics",)))
    assert lines["no response"] == "http://127.0.0.1:1/metrics"
    assert lines["store"] == "does not respond"
    assert lines["real-time factor"] == "no job in this interval"
