import pytest

from service.reading.preferences import MAX_WAIT, preferred_wait


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ([], None),
        (["wait=10"], 10),
        (["respond-async, wait=10"], 10),
        (["respond-async", "WAIT = 10"], 10),
        (['wait="10"; priority=1'], 10),
        (["wait=0"], 0),
        (["wait=3600"], MAX_WAIT),
        (["wait=10, wait=20"], 10),
        (["wait=soon", "wait=-1", "wait", "waiting=5", ""], None),
    ],
)
def test_the_wait_is_the_first_that_is_understood(headers: list[str], seconds: int | None) -> None:
    assert preferred_wait(headers) == seconds
