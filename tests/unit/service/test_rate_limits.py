"""The RateLimit headers of an API key."""

from datetime import UTC, datetime

from jobs.valkey.quotas import Usage
from service.rate_limits import LimitStatus, headers

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


def used(created: int) -> Usage:
    return Usage(NOON.replace(hour=0), NOON, created, 0, {}, 0.0)


def test_limits_are_reported_in_the_headers_of_the_draft() -> None:
    statuses = [
        LimitStatus.of_requests(ceiling=600, remaining=12, wait=6.2),
        LimitStatus.of_jobs(ceiling=100, usage=used(99)),
    ]
    assert headers(statuses) == {
        "RateLimit-Policy": '"requests";q=600;w=60, "jobs";q=100;w=86400',
        "RateLimit": '"requests";r=12;t=7, "jobs";r=1;t=43200',
    }


def test_a_quota_lowered_below_its_use_leaves_nothing() -> None:
    assert LimitStatus.of_jobs(ceiling=10, usage=used(99)).remaining == 0
