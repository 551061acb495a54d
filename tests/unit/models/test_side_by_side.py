"""Batches are rendered side by side and come out in order."""

import threading
from collections.abc import Iterator

import pytest
import torch

from models.side_by_side import Workforce, batch_starts, in_order
from tests.waiting import PATIENCE

TWO = Workforce(threads=2, threads_each=1)


@pytest.mark.parametrize(
    ("frames", "at_once", "starts"),
    [
        (1, 2, []),
        (2, 2, [1]),
        (5, 2, [2]),
        (32, 2, [4, 8, 20]),
        (65, 2, [4, 8, 20, 32, 48, 64]),
        (84, 2, [4, 8, 20, 32, 48, 64, 74]),
        (4, 1, []),
        (49, 1, [4, 16, 32, 48]),
    ],
)
def test_batches_begin_small_grow_and_end_together(
    frames: int, at_once: int, starts: list[int]
) -> None:
    assert batch_starts(frames, 16, at_once) == starts


def test_results_are_yielded_in_order() -> None:
    second_is_done = threading.Event()

    def work(number: int) -> int:
        if number == 0:
            assert second_is_done.wait(PATIENCE)
        if number == 1:
            second_is_done.set()
        return number

    assert list(in_order(work, range(7), TWO)) == list(range(7))


def test_each_thread_works_at_most_one_batch_ahead() -> None:
    begun: list[int] = []

    def pieces() -> Iterator[int]:
        for number in range(100):
            begun.append(number)
            yield number

    made = in_order(lambda number: number, pieces(), TWO)
    next(made)
    assert len(begun) == TWO.threads + 1
    made.close()
    assert len(begun) == TWO.threads + 1


def test_an_error_is_raised_in_its_turn() -> None:
    made = in_order(lambda number: 1 // (2 - number), range(5), TWO)
    assert [next(made), next(made)] == [0, 1]
    with pytest.raises(ZeroDivisionError):
        next(made)


def test_each_thread_keeps_to_its_share_and_the_caller_to_its_own() -> None:
    before = torch.get_num_threads()
    assert set(in_order(lambda _: torch.get_num_threads(), range(4), TWO)) == {1}
    assert torch.get_num_threads() == before


def test_a_cpu_shares_its_threads_and_a_gpu_takes_one_batch_at_a_time() -> None:
    cpu = Workforce.on(torch.device("cpu"))
    assert cpu.threads * cpu.threads_each <= torch.get_num_threads()
    assert Workforce.on(torch.device("cuda")).threads == 1
