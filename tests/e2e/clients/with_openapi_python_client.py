"""Makes a job, polls it and downloads its video: `… BASE_URL PORTRAIT SPEECH OUTPUT`."""

import sys
import time
from pathlib import Path

from amigo_client import Client
from amigo_client.api.jobs import create_job, list_jobs, read_job, read_video
from amigo_client.models import EmotionChoice, JobDocument, JobForm, JobStatus, Resolution
from amigo_client.types import File

base_url, portrait, speech, output = sys.argv[1:]
with (
    Client(base_url=base_url, raise_on_unexpected_status=True) as client,
    Path(portrait).open("rb") as portrait_file,
    Path(speech).open("rb") as speech_file,
):
    form = JobForm(
        portrait=File(portrait_file, "portrait.jpg", "image/jpeg"),
        audio=File(speech_file, "speech.wav", "audio/wav"),
        consent=True,
        emotion=EmotionChoice.HAPPINESS,
        resolution=Resolution.VALUE_256,
    )
    job = create_job.sync(client=client, body=form)
    assert isinstance(job, JobDocument), job
    while job.status in (JobStatus.QUEUED, JobStatus.PROCESSING):
        answer = read_job.sync_detailed(job.id, client=client)
        job = answer.parsed
        assert isinstance(job, JobDocument), job
        time.sleep(int(answer.headers.get("Retry-After", "0")))
    assert job.status is JobStatus.SUCCEEDED, job.failure
    assert job.options.consent is True
    page = list_jobs.sync(client=client, status=[JobStatus.SUCCEEDED], limit=5)
    assert job.id in [each.id for each in page.jobs]
    video = read_video.sync(job.id, client=client, redirect=False)
    assert isinstance(video, File), video
    Path(output).write_bytes(video.payload.read())
