"""The forecast for runs with a known rule."""

from datetime import UTC, datetime, timedelta

import pytest

from jobs.eta import Estimate, Pace, Run, kind_of
from jobs.job import Job, Stage
from jobs.options import Options
from tests.jobs_examples import new_job, result_of

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def law(speech: float) -> float:
    return 3.0 + 2.0 * speech


RUNS = [Run(speech, law(speech)) for speech in (1.0, 2.0, 4.0, 5.0, 8.0, 10.0, 20.0)]
TYPICAL = law(5.0)


def estimate(
    *, position: int | None = None, processing: tuple[Job, ...] = (), later: float = 0.0
) -> Estimate:
    runs = tuple(str(run) for run in RUNS)
    return Estimate(position, processing, runs, NOW + timedelta(seconds=later))


def seconds_left(job: Job, estimate: Estimate) -> float:
    eta = estimate.eta(job)
    assert eta is not None
    return (eta - estimate.now).total_seconds()


def test_the_overhead_and_the_ratio_of_the_runs_are_found() -> None:
    pace = Pace.fit(RUNS)
    assert (pace.overhead, pace.ratio) == pytest.approx((3.0, 2.0))
    assert pace.seconds(30.0) == pytest.approx(law(30.0))


def test_a_quarter_of_outliers_changes_little() -> None:
    pace = Pace.fit([*RUNS, Run(3.0, 900.0), Run(7.0, 0.01)])
    assert pace.seconds(10.0) == pytest.approx(law(10.0), rel=0.1)


def test_runs_of_one_length_are_treated_as_proportional() -> None:
    pace = Pace.fit([Run(4.0, 8.0), Run(4.0, 8.4), Run(4.0, 7.6)])
    assert pace.seconds(8.0) == pytest.approx(16.0)


@pytest.mark.parametrize(
    "runs", [[Run(1.0, 10.0), Run(10.0, 1.0)], [Run(1.0, 1.0), Run(10.0, 100.0)]]
)
def test_neither_the_overhead_nor_the_ratio_is_ever_negative(runs: list[Run]) -> None:
    pace = Pace.fit(runs)
    assert pace.overhead >= 0
    assert pace.ratio >= 0


def test_speech_of_unknown_length_counts_as_typical() -> None:
    assert Pace.fit(RUNS).seconds(None) == pytest.approx(TYPICAL)


def test_there_is_no_eta_before_a_job_has_finished() -> None:
    assert Estimate(1, (), (), NOW).eta(new_job()) is None


def test_an_ended_job_has_no_eta() -> None:
    assert estimate().eta(new_job().cancel(NOW)) is None


def test_the_next_job_of_an_idle_system_takes_its_own_work() -> None:
    assert seconds_left(new_job(audio_seconds=10.0), estimate(position=1)) == pytest.approx(23.0)


def test_a_job_waits_for_those_ahead_that_share_the_workers() -> None:
    job = new_job(audio_seconds=10.0)
    short, long = (new_job(audio_seconds=speech).claim(NOW) for speech in (2.0, 20.0))
    alone = seconds_left(job, estimate(position=4, processing=(short,)))
    shared = seconds_left(job, estimate(position=4, processing=(short, long)))
    assert alone == pytest.approx(law(2.0) + 3 * TYPICAL + 23.0)
    # The first worker is done after 7 s and takes all three, 13 s each; the second after 43 s.
    assert shared == pytest.approx(43.0 + 23.0)


def test_a_long_queue_advances_in_rounds() -> None:
    busy = tuple(new_job(audio_seconds=5.0).claim(NOW) for _ in range(4))
    left = seconds_left(new_job(audio_seconds=10.0), estimate(position=100_001, processing=busy))
    assert left == pytest.approx(25_001 * TYPICAL + 23.0)


def test_the_next_job_waits_until_the_first_worker_is_done() -> None:
    job = new_job(audio_seconds=10.0)
    busy = tuple(
        new_job(audio_seconds=speech).claim(NOW).advance(1, Stage.RENDERING, 0.5, NOW)
        for speech in (20.0, 2.0)
    )
    left = seconds_left(job, estimate(position=1, processing=busy, later=law(2.0) / 2))
    assert left == pytest.approx(law(2.0) / 2 + 23.0)


def test_a_job_that_is_processed_has_the_rest_of_its_work_left() -> None:
    job = new_job(audio_seconds=10.0).claim(NOW).advance(1, Stage.RENDERING, 0.5, NOW)
    assert seconds_left(job, estimate(later=11.5)) == pytest.approx(11.5)


def test_a_job_that_is_quicker_than_expected_is_done_sooner() -> None:
    job = new_job(audio_seconds=10.0).claim(NOW).advance(1, Stage.RENDERING, 0.9, NOW)
    assert seconds_left(job, estimate(later=5.0)) == pytest.approx(2.3)


def test_a_job_that_is_late_is_not_done_before_now() -> None:
    job = new_job(audio_seconds=10.0).claim(NOW).advance(1, Stage.RENDERING, 0.5, NOW)
    assert seconds_left(job, estimate(later=100.0)) == pytest.approx(50.0)


@pytest.mark.parametrize("micros", [0, 1, 245_259, 999_999])
def test_an_eta_in_whole_seconds_is_never_before_now(micros: int) -> None:
    now = NOW + timedelta(microseconds=micros)
    eta, left = Estimate(1, (), ("0.2 1.0 crop-512",), now).remaining(new_job())
    assert eta is not None
    assert left is not None
    assert eta.microsecond == 0
    assert -0.05 <= (eta - now).total_seconds() - left < 1.05
    assert eta >= now


def test_progress_of_an_earlier_attempt_shortens_nothing() -> None:
    job = new_job(audio_seconds=10.0).claim(NOW).advance(1, Stage.STORING, 0.95, NOW)
    again = job.requeue(1, NOW).claim(NOW)
    assert seconds_left(again, estimate(later=1.0)) == pytest.approx(22.0)


def test_a_kind_of_work_is_estimated_from_its_own_runs_once_there_are_enough() -> None:
    crops = [str(Run(speech, speech)) for speech in (2.0, 4.0, 6.0, 8.0)]
    fulls = [str(Run(speech, 10 * speech, "full-512")) for speech in (2.0, 3.0, 4.0)]
    job = Job.create(Options(consent=True, compose="full"), audio_seconds=5.0)
    few, enough = (Estimate(1, (), (*crops, *fulls[:count]), NOW) for count in (2, 3))
    assert seconds_left(job, few) < 25.0
    assert seconds_left(job, enough) == pytest.approx(50.0)


def test_finer_faces_are_another_kind_of_work() -> None:
    fine, coarse = (Options(consent=True, resolution=side) for side in (512, 256))
    assert kind_of(fine) == "crop-512"
    assert kind_of(coarse) == "crop-256"


def test_a_run_is_the_time_from_the_claim_that_won_to_the_end() -> None:
    job = new_job()
    done = job.claim(NOW).succeed(1, result_of(job.id, 1), (), NOW + timedelta(seconds=7))
    run = Run.of(done)
    assert run == Run(1.0, 7.0)
    assert Run.parse(str(run)) == run
    assert Run.of(job.claim(NOW).cancel(NOW)) is None
