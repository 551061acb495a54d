"""Guarantees of the API that need the whole system; docs/api.md lists the others."""

from pathlib import Path

import pytest

from amigo import Client
from deploy.standalone.processes import SeaweedServer
from deploy.standalone.system import Standalone
from jobs.s3.object_store import ObjectStorage
from jobs.s3.paths import job_prefix, video_key
from jobs.settings import Settings
from jobs.valkey.job_store import JobStore
from service.settings import ServiceSettings
from tests.integration.service.conftest import serving
from tests.jobs_examples import new_job, result_of
from tests.loopback import loopback
from tests.waiting import PATIENCE

VIDEO = bytes(range(256))


@pytest.fixture
def objects(system: Standalone, monkeypatch: pytest.MonkeyPatch) -> ObjectStorage:
    """The objects of the running system."""
    programs = {process.program.name: process.program for process in system.processes}
    for name, value in programs["service"].env.items():
        monkeypatch.setenv(name, value)
    return ObjectStorage.connect(Settings())


def test_a_deleted_job_leaves_no_objects(
    client: Client, objects: ObjectStorage, portrait: Path, speech: Path
) -> None:
    job = client.submit(portrait, speech, consent=True, resolution=256)
    assert client.wait(job.id, timeout=PATIENCE).has_succeeded
    assert list(objects.objects(job_prefix(job.id)))
    client.delete(job.id)
    assert not list(objects.objects(job_prefix(job.id)))


def test_the_object_store_serves_the_video_if_callers_can_reach_it(
    settings: Settings, s3: SeaweedServer, store: JobStore, storage: ObjectStorage
) -> None:
    job = new_job()
    store.accept(job)
    store.claim(job.id)
    storage.put(video_key(job.id, 1), VIDEO, "video/mp4")
    store.finish(job.id, 1, result_of(job.id, 1))
    public = {**settings.model_dump(), "s3_public_endpoint_url": s3.url}
    with serving(ServiceSettings(**public)) as live:
        path = f"/v1/jobs/{job.id}/video"
        response = live.http.get(path, params={"download": True})
        assert response.status_code == 307
        assert live.http.get(path, params={"redirect": False}).content == VIDEO
    handed_out = loopback.get(response.headers["location"], headers={"Range": "bytes=5-9"})
    assert (handed_out.status_code, handed_out.content) == (206, VIDEO[5:10])
    assert handed_out.headers["content-type"] == "video/mp4"
    name = f'attachment; filename="{job.id}.mp4"'
    assert handed_out.headers["content-disposition"] == name
