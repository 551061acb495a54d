"""A tenant's jobs in pages, from the real Valkey."""

from datetime import UTC, datetime, timedelta

import pytest

from jobs.errors import CursorInvalid
from jobs.job import Job, JobStatus
from jobs.valkey import listing
from jobs.valkey.job_store import JobStore
from jobs.valkey.listing import Cursor, JobFilter
from tests.jobs_examples import new_job

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
ALL = JobFilter()


def accept(store: JobStore, minute: int = 0, **fields: object) -> Job:
    created_at = NOON + timedelta(minutes=minute)
    job = new_job(**fields).model_copy(update={"created_at": created_at})
    store.accept(job)
    return job


def listed(store: JobStore, wanted: JobFilter = ALL, limit: int = 100) -> list[str]:
    """Return the ids of all pages."""
    ids: list[str] = []
    cursor: Cursor | None = None
    while True:
        page = store.page("local", wanted, limit, cursor)
        assert len(page.jobs) <= limit
        ids += [job.id for job in page.jobs]
        if page.next_cursor is None:
            return ids
        cursor = Cursor.parse(str(page.next_cursor))


def test_a_tenant_without_jobs_has_an_empty_list(store: JobStore) -> None:
    assert listed(store) == []


def test_pages_of_any_size_list_the_newest_first(store: JobStore) -> None:
    jobs = [accept(store, minute) for minute in range(5)]
    newest_first = [job.id for job in reversed(jobs)]
    for limit in (1, 2, 5, 100):
        assert listed(store, limit=limit) == newest_first


def test_the_last_page_has_no_cursor(store: JobStore) -> None:
    accept(store)
    accept(store)
    assert store.page("local", ALL, 2, None).next_cursor is None


def test_jobs_created_at_the_same_time_are_each_listed_once(store: JobStore) -> None:
    ids = {accept(store).id for _ in range(7)}
    pages = listed(store, limit=2)
    assert len(pages) == 7
    assert set(pages) == ids


def test_changes_between_pages_do_not_shift_the_list(store: JobStore) -> None:
    jobs = [accept(store, minute) for minute in range(4)]
    first = store.page("local", ALL, 2, None)
    accept(store, 9)
    store.delete(jobs[2].id)
    second = store.page("local", ALL, 2, first.next_cursor)
    assert [job.id for job in first.jobs + second.jobs] == [job.id for job in reversed(jobs)]


def test_other_tenants_jobs_are_not_listed(store: JobStore) -> None:
    accept(store, tenant="other")
    assert listed(store) == []


def test_all_filters_apply(store: JobStore) -> None:
    accept(store, 0)
    canceled = accept(store, 1, metadata={"order": "1", "shop": "a"})
    store.cancel(canceled.id)
    queued = accept(store, 2, metadata={"order": "1"})
    accept(store, 3)
    order = {"order": "1"}
    assert listed(store, JobFilter(metadata=order)) == [queued.id, canceled.id]
    assert listed(store, JobFilter(metadata={**order, "shop": "a"})) == [canceled.id]
    assert listed(store, JobFilter(metadata={"order": "2"})) == []
    ended = JobFilter(statuses=frozenset({JobStatus.CANCELED, JobStatus.FAILED}))
    assert listed(store, ended) == [canceled.id]
    between = JobFilter(
        created_after=canceled.created_at, created_before=NOON + timedelta(minutes=3)
    )
    assert listed(store, between, limit=1) == [queued.id]


def test_a_selective_filter_gives_short_pages_but_misses_none(
    store: JobStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "MAX_WALK", 3)
    monkeypatch.setattr(listing, "CHUNK", 2)
    oldest = accept(store, 0, metadata={"order": "1"})
    for minute in range(1, 8):
        accept(store, minute)
    wanted = JobFilter(metadata={"order": "1"})
    page = store.page("local", wanted, 20, None)
    assert page.jobs == []
    assert page.next_cursor
    assert listed(store, wanted) == [oldest.id]


def test_a_list_continues_if_the_job_of_its_cursor_was_deleted(store: JobStore) -> None:
    jobs = [accept(store, minute) for minute in range(3)]
    page = store.page("local", ALL, 1, None)
    store.delete(jobs[2].id)
    rest = store.page("local", ALL, 5, page.next_cursor)
    assert [job.id for job in rest.jobs] == [jobs[1].id, jobs[0].id]


@pytest.mark.parametrize("text", ["", "x", "!!!!", "MTIz", "am9iOmpvYg==", "é"])
def test_an_invalid_cursor_is_refused(text: str) -> None:
    with pytest.raises(CursorInvalid):
        Cursor.parse(text)
