from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from pydantic import ValidationError

from jobs.errors import InvalidTransition, StaleAttempt
from jobs.job import MAX_ATTEMPTS, MAX_OUTAGES, Job, JobStatus, Priority, Stage
from jobs.options import Options
from tests.jobs_examples import FAILURE, new_job, result_of

NOW = datetime(2026, 1, 1, tzinfo=UTC)
LATER = NOW + timedelta(seconds=1)


def ended_jobs() -> list[Job]:
    claimed = new_job().claim(NOW)
    return [
        claimed.succeed(1, result_of(claimed.id, 1), (), NOW),
        claimed.fail(1, FAILURE, NOW),
        claimed.cancel(NOW),
        new_job().cancel(NOW),
    ]


def test_a_new_job_is_queued_with_no_attempt_and_an_id_of_128_random_bits() -> None:
    first, second = new_job(), new_job()
    assert (first.status, first.attempt, first.progress) == (JobStatus.QUEUED, 0, 0.0)
    assert first.id != second.id
    assert len(first.id) == len("job_") + 22


def test_a_claim_counts_the_attempt_and_begins_with_fetching() -> None:
    job = new_job().claim(LATER)
    assert (job.status, job.attempt, job.stage) == (JobStatus.PROCESSING, 1, Stage.FETCHING)
    assert (job.updated_at, job.claimed_at) == (LATER, LATER)


def test_a_job_that_is_processing_cannot_be_claimed() -> None:
    with pytest.raises(InvalidTransition, match="is processing"):
        new_job().claim(NOW).claim(NOW)


def test_a_transition_does_not_change_the_original_job() -> None:
    job = new_job()
    job.claim(NOW)
    assert job.status is JobStatus.QUEUED


def test_progress_never_goes_backwards_nor_beyond_one() -> None:
    job = new_job().claim(NOW).advance(1, Stage.RENDERING, 0.5, NOW)
    assert job.advance(1, Stage.RENDERING, 0.2, NOW).progress == 0.5
    assert job.advance(1, Stage.STORING, 1.5, NOW).progress == 1.0


def test_a_success_holds_the_video_and_full_progress() -> None:
    job = new_job().claim(NOW)
    result = result_of(job.id, 1)
    job = job.succeed(1, result, ("The face was small.",), NOW)
    assert (job.status, job.progress, job.stage) == (JobStatus.SUCCEEDED, 1.0, None)
    assert (job.result, job.notices) == (result, ("The face was small.",))


def test_repeating_a_success_has_no_effect() -> None:
    job = new_job().claim(NOW)
    result = result_of(job.id, 1)
    done = job.succeed(1, result, (), NOW)
    assert done.succeed(1, result, (), LATER) is done


def test_a_success_cannot_be_repeated_with_another_video() -> None:
    job = new_job().claim(NOW)
    done = job.succeed(1, result_of(job.id, 1), (), NOW)
    with pytest.raises(StaleAttempt):
        done.succeed(1, result_of(job.id, 2), (), NOW)


def test_a_requeued_job_waits_again_and_keeps_its_count_and_progress() -> None:
    job = new_job().claim(NOW).advance(1, Stage.RENDERING, 0.5, NOW).requeue(1, NOW)
    assert (job.status, job.attempt) == (JobStatus.QUEUED, 1)
    assert (job.stage, job.progress) == (None, 0.5)


def test_handing_back_does_not_use_up_an_attempt() -> None:
    job = new_job()
    for attempt in range(1, 2 * MAX_ATTEMPTS):
        job = job.claim(NOW).hand_back(attempt, NOW)
    for attempt in range(2 * MAX_ATTEMPTS, 3 * MAX_ATTEMPTS - 1):
        job = job.claim(NOW).requeue(attempt, NOW)
    assert job.status is JobStatus.QUEUED
    assert job.claim(NOW).requeue(3 * MAX_ATTEMPTS - 1, NOW).status is JobStatus.FAILED


def test_a_job_requeued_after_its_last_attempt_fails() -> None:
    job = new_job()
    for attempt in range(1, MAX_ATTEMPTS):
        job = job.claim(NOW).requeue(attempt, NOW)
    job = job.claim(NOW).requeue(MAX_ATTEMPTS, NOW)
    assert job.status is JobStatus.FAILED
    assert job.failure is not None
    assert job.failure.code == "attempts_used_up"


def test_a_job_whose_every_worker_was_lost_fails_with_a_code_of_its_own() -> None:
    job = new_job().claim(NOW).hand_back(1, NOW)
    for attempt in range(2, MAX_ATTEMPTS + 2):
        assert job.status is JobStatus.QUEUED
        job = job.claim(NOW).lose(attempt, NOW)
    assert job.failure is not None
    assert job.failure.code == "worker_lost"
    assert f"{MAX_ATTEMPTS} workers" in job.failure.message
    assert (job.status, job.lost) == (JobStatus.FAILED, MAX_ATTEMPTS)


def test_a_job_requeued_by_one_worker_is_not_worker_lost() -> None:
    job = new_job().claim(NOW).requeue(1, NOW)
    for attempt in range(2, MAX_ATTEMPTS + 1):
        job = job.claim(NOW).lose(attempt, NOW)
    assert job.failure is not None
    assert job.failure.code == "attempts_used_up"


def test_a_job_requeued_with_a_reason_fails_for_it_after_the_last_attempt() -> None:
    job = new_job()
    for attempt in range(1, MAX_ATTEMPTS):
        job = job.claim(NOW).requeue(attempt, NOW, FAILURE)
        assert job.status is JobStatus.QUEUED
    assert job.claim(NOW).requeue(MAX_ATTEMPTS, NOW, FAILURE).failure == FAILURE


def test_outages_do_not_count_until_there_are_too_many() -> None:
    job = new_job()
    for attempt in range(1, MAX_OUTAGES):
        job = job.claim(NOW).postpone(attempt, NOW)
        assert (job.status, job.attempts_counted) == (JobStatus.QUEUED, 0)
    job = job.claim(NOW).postpone(MAX_OUTAGES, NOW)
    assert job.failure is not None
    assert job.failure.code == "attempts_used_up"


def test_setbacks_are_the_failed_attempts() -> None:
    job = new_job()
    ends = (Job.hand_back, Job.requeue, Job.postpone, Job.lose)
    counts = []
    for attempt, end in enumerate(ends, 1):
        job = end(job.claim(NOW), attempt, NOW)
        counts.append(job.setbacks)
    assert counts == [0, 1, 2, 3]


def test_repeating_a_failure_has_no_effect() -> None:
    failed = new_job().claim(NOW).fail(1, FAILURE, NOW)
    assert failed.fail(1, FAILURE, LATER) is failed


STALE_WORDS: list[Callable[[Job, int], Job]] = [
    lambda job, attempt: job.advance(attempt, Stage.RENDERING, 0.9, NOW),
    lambda job, attempt: job.succeed(attempt, result_of(job.id, attempt), (), NOW),
    lambda job, attempt: job.fail(attempt, FAILURE, NOW),
    lambda job, attempt: job.requeue(attempt, NOW),
    lambda job, attempt: job.lose(attempt, NOW),
    lambda job, attempt: job.postpone(attempt, NOW),
    lambda job, attempt: job.hand_back(attempt, NOW),
]


@pytest.mark.parametrize("word", STALE_WORDS)
def test_an_attempt_that_lost_the_job_is_stale(word: Callable[[Job, int], Job]) -> None:
    job = new_job().claim(NOW).requeue(1, NOW).claim(NOW)
    with pytest.raises(StaleAttempt, match="Attempt 1 no longer owns"):
        word(job, 1)


@pytest.mark.parametrize("word", STALE_WORDS)
def test_an_attempt_from_before_the_record_was_lost_is_stale(
    word: Callable[[Job, int], Job],
) -> None:
    job = new_job().restore(LATER).claim(LATER)
    with pytest.raises(StaleAttempt):
        word(job, 1)


def test_a_restored_job_has_all_its_attempts() -> None:
    job = new_job().restore(LATER)
    for begun in range(1, MAX_ATTEMPTS + 1):
        job = job.claim(LATER)
        assert job.attempts_begun == begun
        job = job.requeue(job.attempt, LATER)
    assert job.failure is not None
    assert job.failure.message.startswith(f"{MAX_ATTEMPTS} attempts")


def test_no_attempt_has_the_number_of_one_in_an_earlier_record() -> None:
    restored = [new_job().restore(NOW), new_job().restore(LATER)]
    numbers = [job.claim(LATER).attempt for job in (new_job(), *restored)]
    assert len(set(numbers)) == 3


@pytest.mark.parametrize("word", STALE_WORDS)
def test_an_attempt_on_a_queued_job_is_stale(word: Callable[[Job, int], Job]) -> None:
    with pytest.raises(StaleAttempt):
        word(new_job(), 0)


@pytest.mark.parametrize("job", ended_jobs(), ids=lambda job: str(job.status))
def test_nothing_follows_a_final_state(job: Job) -> None:
    assert job.status.is_final
    for word in STALE_WORDS:
        with pytest.raises(StaleAttempt):
            word(job.model_copy(update={"result": None, "failure": None}), job.attempt)
    with pytest.raises(InvalidTransition):
        job.claim(NOW)
    with pytest.raises(InvalidTransition):
        job.cancel(NOW)


@pytest.mark.parametrize("job", ended_jobs(), ids=lambda job: str(job.status))
def test_a_job_survives_json(job: Job) -> None:
    assert Job.model_validate_json(job.model_dump_json()) == job


def test_a_record_from_before_a_field_was_added_is_read() -> None:
    record = new_job().model_dump(
        mode="json", include={"id", "options", "created_at", "updated_at"}
    )
    del record["options"]["compose"]
    job = Job.model_validate(record)
    assert (job.tenant, job.priority, job.metadata) == ("local", Priority.NORMAL, {})
    assert job.options.compose == "crop"


@pytest.mark.parametrize(
    "wrong",
    [
        {"metadata": {f"name{n}": "" for n in range(17)}},
        {"metadata": {"a b": ""}},
        {"metadata": {"n" * 41: ""}},
        {"metadata": {"name": "v" * 501}},
        {"tenant": "a:b"},
        {"idempotency": {"key": "a", "fingerprint": "short"}},
    ],
)
def test_an_invalid_job_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        new_job(**wrong)


def test_options_need_consent() -> None:
    with pytest.raises(ValidationError, match="consent"):
        Options.model_validate({"consent": False})


@pytest.mark.parametrize(
    "wrong",
    [
        {"intensity": 2.1},
        {"intensity": float("nan")},
        {"seed": -1},
        {"emotion": "joy"},
        {"face": "0"},
        {"face": "1,2,3"},
        {"face": "left"},
    ],
)
def test_options_out_of_range_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Options.model_validate({"consent": True, **wrong})
