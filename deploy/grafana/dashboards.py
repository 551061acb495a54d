"""The dashboards: what they show, as PromQL.

Every service process reports the same numbers about jobs and queues, hence `max`; everything else
is counted by the process that does it, hence `sum`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from string import ascii_uppercase

from grafana_foundation_sdk.builders import common, dashboard, prometheus, timeseries
from grafana_foundation_sdk.models.common import LegendDisplayMode, LegendPlacement
from grafana_foundation_sdk.models.dashboard import Dashboard, DataSourceRef

SOURCE = DataSourceRef(type_val="prometheus", uid="prometheus")
RATE = "[$__rate_interval]"
WIDTH, HEIGHT = 12, 8
"""Of a panel, in Grafana's grid, which is 24 columns wide."""


@dataclass(frozen=True)
class Query:
    """An expression and the name of each series it returns."""

    expression: str
    legend: str = ""


@dataclass(frozen=True)
class Chart:
    """A panel with curves over time.

    Attributes:
        title: what the panel shows.
        unit: one of Grafana's units: s, reqps, bytes, percentunit, short.
        queries: what it draws.
    """

    title: str
    unit: str
    queries: tuple[Query, ...]


def quantile(share: float, histogram: str, by: str = "") -> str:
    """Return the expression for a quantile of a histogram's last values."""
    labels = ", ".join(filter(None, ("le", by)))
    return f"histogram_quantile({share}, sum by ({labels}) (rate({histogram}_bucket{RATE})))"


def spread(histogram: str) -> tuple[Query, ...]:
    """Return the median and the 95th percentile of a histogram."""
    return Query(quantile(0.5, histogram), "median"), Query(quantile(0.95, histogram), "p95")


def rate(counter: str, by: str) -> Query:
    """Return a counter's increase per second, by a label."""
    return Query(f"sum by ({by}) (rate({counter}{RATE}))", f"{{{{{by}}}}}")


SERVICE = (
    Chart("Requests", "reqps", (rate("amigo_http_requests_total", "status"),)),
    Chart(
        "Share of failed requests (objective: 0.1%)",
        "percentunit",
        (Query("amigo:http_errors:ratio_5m", "5 m"), Query("amigo:http_errors:ratio_1h", "1 h")),
    ),
    Chart(
        "Latency by route, p95",
        "s",
        (Query(quantile(0.95, "amigo_http_request_duration_seconds", "route"), "{{route}}"),),
    ),
    Chart(
        "Requests and followers",
        "short",
        (
            Query("sum(amigo_http_requests_in_progress)", "requests in progress"),
            Query("sum(amigo_followers)", "followers"),
        ),
    ),
    Chart(
        "Jobs",
        "short",
        (Query('max by (status) (amigo_jobs{status=~"queued|processing"})', "{{status}}"),),
    ),
    Chart(
        "Oldest queued job",
        "s",
        (Query("max by (priority) (amigo_queue_oldest_seconds)", "{{priority}}"),),
    ),
    Chart("Memory", "bytes", (Query("process_resident_memory_bytes", "{{job}} {{instance}}"),)),
    Chart(
        "Versions",
        "short",
        (Query("count by (process, version) (amigo_build_info)", "{{process}} {{version}}"),),
    ),
)

WORKERS = (
    Chart("Attempts by outcome", "short", (rate("amigo_worker_jobs_total", "outcome"),)),
    Chart("Failed jobs by code", "short", (rate("amigo_worker_job_failures_total", "code"),)),
    Chart("Wait before the first attempt", "s", spread("amigo_worker_job_wait_seconds")),
    Chart("Attempt", "s", spread("amigo_worker_job_seconds")),
    Chart(
        "Stage, p95",
        "s",
        (Query(quantile(0.95, "amigo_worker_stage_seconds", "stage"), "{{stage}}"),),
    ),
    Chart(
        "Seconds per second of speech",
        "short",
        (
            Query(quantile(0.5, "amigo_worker_real_time_factor"), "attempt, median"),
            Query(quantile(0.95, "amigo_worker_turnaround_ratio"), "job, p95"),
        ),
    ),
    Chart(
        "Work done",
        "short",
        (
            Query(f"sum(rate(amigo_worker_frames_rendered_total{RATE}))", "frames a second"),
            Query(f"sum(rate(amigo_worker_speech_seconds_total{RATE}))", "speech, s a second"),
        ),
    ),
    Chart(
        "Open jobs and workers",
        "short",
        (
            Query("amigo:jobs_open", "queued and processing"),
            Query('count(amigo_build_info{process="synthesis"})', "workers"),
        ),
    ),
    Chart("GPU utilisation", "percentunit", (Query("amigo_gpu_utilization_ratio", "{{gpu}}"),)),
    Chart("GPU memory", "bytes", (Query("amigo_gpu_memory_used_bytes", "{{gpu}}"),)),
)

STORES = (
    Chart("Valkey responds", "short", (Query("min(amigo_store_up)", "1: yes"),)),
    Chart(
        "Requests to the object store",
        "reqps",
        (rate("amigo_s3_request_seconds_count", "operation"),),
    ),
    Chart(
        "Object store latency, p95",
        "s",
        (Query(quantile(0.95, "amigo_s3_request_seconds", "operation"), "{{operation}}"),),
    ),
    Chart("Outcomes", "reqps", (rate("amigo_s3_request_seconds_count", "outcome"),)),
    Chart(
        "Repairs of the reconciler", "short", (rate("amigo_reconciler_repairs_total", "repair"),)
    ),
    Chart("Rounds of the reconciler", "short", (rate("amigo_reconciler_rounds_total", "end"),)),
    Chart("Pass over the bucket", "s", (Query("max(amigo_reconciler_pass_seconds)", "duration"),)),
    Chart(
        "Jobs whose files were not deleted",
        "short",
        (Query("max(amigo_reconciler_undeleted_jobs)", "jobs"),),
    ),
    Chart("Webhooks by outcome", "reqps", (rate("amigo_webhook_attempts_total", "outcome"),)),
    Chart(
        "Webhooks pending",
        "short",
        (
            Query("max(amigo_webhooks_pending)", "pending"),
            Query("max(amigo_webhook_overdue_seconds)", "overdue, s"),
        ),
    ),
)

DASHBOARDS = {"service": SERVICE, "workers": WORKERS, "stores": STORES}


def build(name: str, charts: Sequence[Chart]) -> Dashboard:
    """Return a dashboard for Grafana, two charts in each row."""
    board = (
        dashboard.Dashboard(f"AMIGO {name}")
        .uid(f"amigo-{name}")
        .tags(["amigo"])
        .refresh("10s")
        .time("now-1h", "now")
        .timezone("utc")
    )
    for chart in charts:
        board = board.with_panel(panel(chart))
    return board.build()


def panel(chart: Chart) -> timeseries.Panel:
    """Return a chart as a panel."""
    legend = (
        common.VizLegendOptions()
        .display_mode(LegendDisplayMode.LIST)
        .placement(LegendPlacement.BOTTOM)
        .show_legend(True)
    )
    made = (
        timeseries.Panel()
        .title(chart.title)
        .unit(chart.unit)
        .min(0)
        .span(WIDTH)
        .height(HEIGHT)
        .datasource(SOURCE)
        .legend(legend)
    )
    for query, letter in zip(chart.queries, ascii_uppercase, strict=False):
        target = prometheus.Dataquery().expr(query.expression).legend_format(query.legend)
        made = made.with_target(target.ref_id(letter))
    return made
