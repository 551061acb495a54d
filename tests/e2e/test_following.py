"""A job of the whole system, followed from creation to its video."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from io import BytesIO
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from amigo import Client
from deploy.standalone.system import Standalone
from tests.event_stream import Told, told
from tests.loopback import loopback
from tests.waiting import PATIENCE


@pytest.fixture(scope="module")
def events(system: Standalone, portrait: Path, speech: Path) -> tuple[list[Told], list[Told]]:
    """What two callers saw of a job: one stayed connected, one reconnected every third change."""
    with Client(system.url) as client:
        job = client.submit(portrait, speech, consent=True, resolution=256)
    url = f"{system.url}/v1/jobs/{job.id}/events"
    with ThreadPoolExecutor() as pool:
        steady, restless = pool.submit(list, follow(url)), pool.submit(follow_in_parts, url)
        return steady.result(), restless.result()


def follow(url: str, last: str | None = None) -> Iterator[Told]:
    """Yield the changes after the one with the id `last`."""
    headers = {"Last-Event-ID": last} if last else {}
    with loopback.stream("GET", url, headers=headers) as response:
        # A new queue position has no id, and is not a change.
        yield from (event for event in told(response.iter_lines()) if event.id)


def follow_in_parts(url: str) -> list[Told]:
    heard: list[Told] = []
    while not heard or heard[-1].job["links"]["cancel"]:
        heard.extend(islice(follow(url, heard[-1].id if heard else None), 3))
    return heard


def test_a_reconnecting_follower_sees_the_same_changes_as_a_connected_one(
    events: tuple[list[Told], list[Told]],
) -> None:
    steady, restless = ([event.id for event in heard] for heard in events)
    assert len(steady) > 3
    assert len(set(steady)) == len(steady)
    # Each starts with the job's state at the time of connecting.
    shorter = min(len(steady), len(restless))
    assert steady[-shorter:] == restless[-shorter:]


def test_a_job_only_moves_forward_and_ends_with_its_video(
    system: Standalone, events: tuple[list[Told], list[Told]]
) -> None:
    jobs = [event.job for event in events[0]]
    progress = [job["progress"] for job in jobs]
    assert progress == sorted(progress)
    assert progress[-1] == 1.0
    assert jobs[-1]["status"] == "succeeded"
    assert loopback.get(f"{system.url}{jobs[-1]['links']['self']}").json() == jobs[-1]


def test_every_result_of_a_job_can_be_downloaded(
    system: Standalone, events: tuple[list[Told], list[Told]]
) -> None:
    job = events[0][-1].job
    poster = loopback.get(f"{system.url}{job['links']['poster']}")
    assert Image.open(BytesIO(poster.content)).size == (job["width"], job["height"])
    landmarks = loopback.get(f"{system.url}{job['links']['landmarks']}").json()
    assert np.shape(landmarks["landmarks"]) == (job["num_frames"], 79, 2)
    assert np.shape(landmarks["emotions"]) == (job["num_frames"], 8)
    assert landmarks["frame_rate"] == 25


@pytest.mark.usefixtures("events")
def test_after_the_first_finished_job_the_next_has_an_eta(
    client: Client, system: Standalone, portrait: Path, speech: Path
) -> None:
    before = datetime.now(UTC)
    job = client.submit(portrait, speech, consent=True, resolution=256)
    document = loopback.get(f"{system.url}/v1/jobs/{job.id}").json()
    assert 0 < document["eta_seconds"] < 300
    assert datetime.fromisoformat(document["eta"]) > before
    client.wait(job.id, timeout=PATIENCE)
