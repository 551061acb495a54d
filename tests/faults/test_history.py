"""A history keeps the order of events, prints them and writes them as lines."""

import json
from pathlib import Path

from tests.faults.history import Answered, Faulted, History, Posted, Seen, Told
from tests.faults.tally import Tally, faults_by_target


def example() -> History:
    history = History()
    for event in (
        Posted("key", webhook=True),
        Answered("key", 503),
        Answered("key", 202, "job_1"),
        Faulted("kill", "worker-1.child", "after JobStore.claim"),
        Seen("job_1", "succeeded", 1.0),
        Told("job_1", "succeeded", "msg_1"),
        Seen("job_2", "queued", 0.0),
    ):
        history.record(event)
    return history


def test_events_of_a_kind_come_in_order() -> None:
    statuses = [response.status for response in example().each(Answered)]

    assert statuses == [503, 202]


def test_the_history_of_a_job_lists_its_events_and_faults() -> None:
    story = example().story(frozenset({"job_1"})).splitlines()

    assert [line.split()[1] for line in story] == ["Answered", "Faulted", "Seen", "Told"]


def test_it_can_be_written_as_json_lines(tmp_path: Path) -> None:
    file = tmp_path / "history.jsonl"
    example().write(file)
    lines = [json.loads(line) for line in file.read_text().splitlines()]

    assert lines[2]["event"] == "Answered"
    assert lines[2]["job_id"] == "job_1"
    assert sorted(line["at"] for line in lines) == [line["at"] for line in lines]


def test_a_tally_counts_jobs_once_and_adds_up() -> None:
    tally = Tally.of(example())

    assert tally == Tally(faults=1, posts=1, accepted=1, refused=1, ended=1, webhooks=1)
    assert tally + tally == Tally(faults=2, posts=2, accepted=2, refused=2, ended=2, webhooks=2)
    assert faults_by_target(example()) == {"kill worker-1.child": 1}
