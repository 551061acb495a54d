"""Every check of the checker rejects the history made for it, and no valid one."""

from dataclasses import replace
from typing import Any

import pytest

from jobs.job import Job, JobStatus, Priority, Stage, workers_lost
from jobs.s3.paths import audio_key, landmarks_key, poster_key, request_key, video_key
from jobs.valkey.idempotency import Holder
from jobs.valkey.webhook_outbox import Delivery, DeliveryStatus
from jobs.values import IdempotencyKey, utc_now
from tests.faults.checker import CHECKS, find_violations
from tests.faults.history import (
    LOSE,
    Answered,
    Deleted,
    Event,
    Faulted,
    Forged,
    GivenUp,
    History,
    Lost,
    Posted,
    Reopened,
    Seen,
    Told,
    Unanswered,
)
from tests.faults.snapshot import Snapshot, count_frames
from tests.jobs_examples import FAILURE, new_job, result_of
from tests.media import video

KEY = "one-key"
NOW = utc_now()
NEW = new_job(
    key_id="key",
    webhook_url="http://receiver/ended",
    idempotency=IdempotencyKey(key=KEY, fingerprint="0" * 64),
)
ID = NEW.id
FIRST = NEW.claim(NOW)
FAR = FIRST.advance(1, Stage.RENDERING, 0.5, NOW)
AGAIN = FAR.requeue(1, NOW)
SECOND = AGAIN.claim(NOW)
RESULT = result_of(ID, 2, poster_key=poster_key(ID, 2), landmarks_key=landmarks_key(ID, 2))
ENDED = SECOND.succeed(2, RESULT, (), NOW)
FAILED = SECOND.fail(2, FAILURE, NOW)

GOOD_HISTORY: tuple[Event, ...] = (
    Posted(KEY, webhook=True),
    Unanswered(KEY, "the connection broke"),
    Posted(KEY, webhook=True),
    Answered(KEY, 202, ID),
    Seen(ID, "queued", 0.0),
    Seen(ID, "processing", 0.5, "rendering"),
    Faulted("kill", "worker-1.child"),
    Told(ID, "succeeded", "msg_1"),
    Seen(ID, "succeeded", 1.0),
)
GOOD_SNAPSHOT = Snapshot(
    jobs={ID: ENDED},
    events={ID: (NEW, FIRST, FAR, AGAIN, SECOND, ENDED)},
    indexes={JobStatus.SUCCEEDED: frozenset({ID})},
    tenants={"local": frozenset({ID})},
    deliveries={ID: Delivery(status=DeliveryStatus.DELIVERED, attempts=1)},
    holders=(Holder(job_id=ID, fingerprint="0" * 64, is_confirmed=True),),
    objects=frozenset({RESULT.video_key, poster_key(ID, 2), landmarks_key(ID, 2)}),
    video_frames={RESULT.video_key: RESULT.num_frames},
)


def checked(history: tuple[Event, ...], snapshot: Snapshot) -> set[str]:
    """Return the names of the checks that fail."""
    told = History()
    for event in history:
        told.record(event)
    return {violation.check for violation in find_violations(told, snapshot)}


def told(*more: Event) -> tuple[Event, ...]:
    """Return the valid history with additional events."""
    return (*GOOD_HISTORY, *more)


def with_job(job: Job, *past: Job, **changes: Any) -> Snapshot:
    """Return the valid snapshot with its job replaced by another, with a past."""
    events = {job.id: (*past, job)}
    fields: dict[str, Any] = {"jobs": {job.id: job}, "events": events, **changes}
    return replace(GOOD_SNAPSHOT, **fields)


def test_a_history_without_faults_passes() -> None:
    assert checked(GOOD_HISTORY, GOOD_SNAPSHOT) == set()


def test_a_request_cut_short_may_leave_its_files_until_they_are_swept() -> None:
    objects = GOOD_SNAPSHOT.objects | {audio_key("job_other")}

    assert checked(GOOD_HISTORY, replace(GOOD_SNAPSHOT, objects=objects)) == set()


def test_a_job_that_ended_may_be_lost_with_the_store() -> None:
    nothing = Snapshot(objects=GOOD_SNAPSHOT.objects)

    assert checked(told(Faulted(LOSE, "valkey")), nothing) == set()


def test_a_job_lost_before_its_journal_entry_was_deleted_may_end_twice() -> None:
    first = (*GOOD_HISTORY[:-2], Told(ID, "failed", "msg_1"), Seen(ID, "failed", 1.0))
    lost = (*first, Faulted(LOSE, "valkey"))
    again = (Seen(ID, "queued", 0.0), *GOOD_HISTORY[-2:])
    wrongs = {"callers_saw_the_truth", "nothing_follows_an_end"}

    assert checked((*lost, *again), GOOD_SNAPSHOT) == wrongs
    assert checked((*lost, Reopened(ID), *again), GOOD_SNAPSHOT) == set()


def test_a_request_given_up_during_an_outage_may_have_created_its_job() -> None:
    refused = (Faulted("stop", "valkey"), Posted(KEY), Answered(KEY, 503), GivenUp(KEY, "503"))
    assert "refusals_leave_nothing" not in checked(refused, GOOD_SNAPSHOT)
    assert "refusals_leave_nothing" in checked(refused[1:], GOOD_SNAPSHOT)


def test_a_deleted_job_may_be_gone() -> None:
    assert checked(told(Deleted(ID), Lost(ID, "404")), Snapshot()) == set()


def test_only_a_video_that_can_be_decoded_has_frames() -> None:
    whole = video()

    assert count_frames(whole) == 5
    assert count_frames(whole[: len(whole) // 2]) is None
    assert count_frames(b"") is None


MOVED_ON = ENDED.model_copy(update={"status": JobStatus.QUEUED, "result": None})
OTHER = NEW.model_copy(update={"id": "job_other"})
WON_BY_ANOTHER = ENDED.model_copy(update={"result": result_of(ID, 1)})
BACK = FAR.model_copy(update={"progress": 0.2})
SKIPPED = AGAIN.model_copy(update={"attempt": 2}).claim(NOW)
MUTE = replace(GOOD_SNAPSHOT, deliveries={})
EVENTS = GOOD_SNAPSHOT.events[ID]

BAD_STORIES: tuple[tuple[str, tuple[Event, ...], Snapshot], ...] = (
    ("accepted_jobs_end", GOOD_HISTORY, with_job(SECOND, NEW)),
    ("accepted_jobs_end", GOOD_HISTORY, Snapshot()),
    ("accepted_jobs_end", (Answered(KEY, 202, ID), Faulted(LOSE, "valkey")), Snapshot()),
    ("jobs_move_as_they_may", GOOD_HISTORY, with_job(ENDED, NEW)),
    ("jobs_move_as_they_may", GOOD_HISTORY, with_job(ENDED, SECOND)),
    ("nothing_follows_an_end", GOOD_HISTORY, with_job(MOVED_ON, *EVENTS)),
    ("nothing_follows_an_end", told(Seen(ID, "processing", 1.0)), GOOD_SNAPSHOT),
    ("nothing_follows_an_end", told(Seen(ID, "failed", 1.0)), GOOD_SNAPSHOT),
    ("ends_are_told_once", GOOD_HISTORY, with_job(ENDED, *EVENTS)),
    ("ends_are_told_once", GOOD_HISTORY, replace(GOOD_SNAPSHOT, events={ID: EVENTS[:-1]})),
    ("callers_saw_the_truth", told(Told(ID, "failed", "msg_1")), GOOD_SNAPSHOT),
    ("callers_saw_the_truth", GOOD_HISTORY, with_job(FAILED, *EVENTS[:-1])),
    ("attempts_grow", GOOD_HISTORY, with_job(ENDED, NEW, FIRST, AGAIN, SKIPPED)),
    ("attempts_grow", GOOD_HISTORY, with_job(ENDED, NEW, SECOND)),
    (
        "attempts_are_accounted_for",
        GOOD_HISTORY,
        with_job(ENDED.model_copy(update={"handed_back": 1, "lost": 2})),
    ),
    (
        "attempts_are_accounted_for",
        GOOD_HISTORY,
        with_job(SECOND.fail(2, workers_lost(1), NOW)),
    ),
    ("progress_grows", GOOD_HISTORY, with_job(ENDED, NEW, FIRST, FAR, BACK, AGAIN, SECOND)),
    ("progress_grows", told(Seen(ID, "succeeded", 0.9)), GOOD_SNAPSHOT),
    ("results_are_the_winners", GOOD_HISTORY, with_job(WON_BY_ANOTHER)),
    (
        "results_are_the_winners",
        GOOD_HISTORY,
        with_job(ENDED.model_copy(update={"result": None})),
    ),
    (
        "results_are_the_winners",
        GOOD_HISTORY,
        with_job(ENDED.model_copy(update={"failure": FAILURE})),
    ),
    ("videos_can_be_played", GOOD_HISTORY, replace(GOOD_SNAPSHOT, objects=frozenset())),
    (
        "videos_can_be_played",
        GOOD_HISTORY,
        replace(GOOD_SNAPSHOT, video_frames={RESULT.video_key: None}),
    ),
    (
        "videos_can_be_played",
        GOOD_HISTORY,
        replace(GOOD_SNAPSHOT, video_frames={RESULT.video_key: RESULT.num_frames - 1}),
    ),
    (
        "no_object_is_left_over",
        GOOD_HISTORY,
        replace(GOOD_SNAPSHOT, objects=GOOD_SNAPSHOT.objects | {video_key(ID, 1)}),
    ),
    (
        "no_object_is_left_over",
        GOOD_HISTORY,
        replace(GOOD_SNAPSHOT, objects=GOOD_SNAPSHOT.objects | {audio_key(ID)}),
    ),
    (
        "no_object_is_left_over",
        GOOD_HISTORY,
        replace(GOOD_SNAPSHOT, objects=GOOD_SNAPSHOT.objects | {request_key("job_other")}),
    ),
    ("no_object_is_left_over", GOOD_HISTORY, with_job(FAILED)),
    ("no_object_is_left_over", (), Snapshot(objects=frozenset({audio_key("job_other")}))),
    (
        "indexes_agree",
        GOOD_HISTORY,
        replace(GOOD_SNAPSHOT, indexes={status: frozenset({ID}) for status in JobStatus}),
    ),
    ("indexes_agree", GOOD_HISTORY, replace(GOOD_SNAPSHOT, indexes={})),
    ("indexes_agree", GOOD_HISTORY, replace(GOOD_SNAPSHOT, tenants={})),
    (
        "indexes_agree",
        GOOD_HISTORY,
        replace(GOOD_SNAPSHOT, queues={Priority.NORMAL: frozenset({ID})}),
    ),
    ("indexes_agree", GOOD_HISTORY, replace(GOOD_SNAPSHOT, outbox=frozenset({ID}))),
    ("indexes_agree", GOOD_HISTORY, replace(GOOD_SNAPSHOT, active={"key": frozenset({ID})})),
    ("indexes_agree", GOOD_HISTORY, with_job(SECOND, cleanups=frozenset({ID}))),
    ("refusals_leave_nothing", (Posted(KEY), Answered(KEY, 503)), GOOD_SNAPSHOT),
    (
        "one_key_makes_one_job",
        GOOD_HISTORY,
        replace(GOOD_SNAPSHOT, jobs={ID: ENDED, OTHER.id: OTHER}),
    ),
    ("one_key_makes_one_job", told(Answered(KEY, 202, "job_other")), GOOD_SNAPSHOT),
    ("keys_lead_to_jobs", GOOD_HISTORY, replace(GOOD_SNAPSHOT, jobs={})),
    ("ends_are_told", tuple(e for e in GOOD_HISTORY if not isinstance(e, Told)), GOOD_SNAPSHOT),
    ("ends_are_told", told(Told(ID, "succeeded", "msg_2")), GOOD_SNAPSHOT),
    ("ends_are_told", GOOD_HISTORY, MUTE),
    ("ends_are_told", GOOD_HISTORY, replace(GOOD_SNAPSHOT, webhooks_due=frozenset({ID}))),
    (
        "ends_are_told",
        tuple(replace(e, answer=500) if isinstance(e, Told) else e for e in GOOD_HISTORY),
        GOOD_SNAPSHOT,
    ),
    ("news_has_a_job", GOOD_HISTORY, with_job(SECOND, NEW)),
    ("news_has_a_job", GOOD_HISTORY, replace(GOOD_SNAPSHOT, webhooks_due=frozenset({"gone"}))),
    ("webhooks_are_signed", told(Forged("no signature")), GOOD_SNAPSHOT),
    ("callers_never_lose_a_job", told(Lost(ID, "404")), GOOD_SNAPSHOT),
)


@pytest.mark.parametrize(("check", "history", "snapshot"), BAD_STORIES)
def test_a_broken_guarantee_is_found(
    check: str, history: tuple[Event, ...], snapshot: Snapshot
) -> None:
    assert check in checked(history, snapshot)


def test_every_check_has_a_history_that_it_must_reject() -> None:
    assert {check.__name__ for check in CHECKS} == {check for check, _, _ in BAD_STORIES}
