"""A stream while a real worker makes it, as FFmpeg's HLS demuxer plays it over HTTP."""

from collections.abc import Iterator

import av
import pytest

from jobs.job import JobStatus
from jobs.s3.paths import stream_prefix, video_key
from jobs.settings import Settings
from service.settings import ServiceSettings
from tests.integration.service.conftest import LiveService, serving
from tests.integration.workers.conftest import Client, StartWorker
from tests.integration.workers.pipelines import SLOW
from tests.waiting import wait_for

SECONDS = 5


@pytest.fixture
def live(settings: Settings) -> Iterator[LiveService]:
    with serving(ServiceSettings(**settings.model_dump())) as live:
        yield live


def test_a_player_shows_a_video_while_it_is_rendered_and_its_segments_are_deleted_with_the_job(
    start_worker: StartWorker, client: Client, live: LiveService
) -> None:
    start_worker().wait_loaded()
    job_id = client.post(SLOW, seconds=SECONDS)
    path = f"/v1/jobs/{job_id}/stream"
    wait_for(lambda: live.http.head(path, follow_redirects=True).status_code == 200)

    with av.open(f"http://127.0.0.1:{live.port}{path}") as player:
        begun = client.store.get(job_id)
        levels = [frame.to_ndarray(format="gray").mean() for frame in player.decode(video=0)]

    assert begun.status is JobStatus.PROCESSING
    assert len(levels) == 25 * SECONDS
    assert levels == sorted(levels)
    assert client.wait_final(job_id).status is JobStatus.SUCCEEDED
    assert client.storage.size(video_key(job_id, 1)) > 0

    canceled = client.post(SLOW, seconds=SECONDS)
    wait_for(lambda: any(client.storage.objects(stream_prefix(canceled, 1))))
    client.store.cancel(canceled)
    wait_for(lambda: client.objects(canceled) == [])
    assert live.http.delete(f"/v1/jobs/{job_id}").status_code == 204
    assert client.objects(job_id) == []
