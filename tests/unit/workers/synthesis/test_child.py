import pytest

from workers.synthesis.child import job_runner


def test_there_is_no_job_runner_outside_a_pools_child() -> None:
    with pytest.raises(RuntimeError, match="pool"):
        job_runner()
