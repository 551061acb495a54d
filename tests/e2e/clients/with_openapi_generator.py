"""Makes a job, polls it and downloads its video: `… BASE_URL PORTRAIT SPEECH OUTPUT`."""

import sys
import time
from pathlib import Path

from openapi_client import ApiClient, Configuration, EmotionChoice, JobsApi, JobStatus, Resolution

base_url, portrait, speech, output = sys.argv[1:]
with ApiClient(Configuration(host=base_url)) as client:
    jobs = JobsApi(client)
    job = jobs.create_job(
        consent=True,
        portrait=("portrait.jpg", Path(portrait).read_bytes()),
        audio=("speech.wav", Path(speech).read_bytes()),
        emotion=EmotionChoice.HAPPINESS,
        resolution=Resolution.NUMBER_256,
        metadata={"made": "by a generated client"},
    )
    while job.status in (JobStatus.QUEUED, JobStatus.PROCESSING):
        answer = jobs.read_job_with_http_info(job.id)
        job = answer.data
        time.sleep(int(answer.headers.get("Retry-After", "0")))
    assert job.status is JobStatus.SUCCEEDED, job.failure
    assert job.options.consent is True
    assert job.metadata == {"made": "by a generated client"}
    page = jobs.list_jobs(status=[JobStatus.SUCCEEDED], limit=5)
    assert job.id in [each.id for each in page.jobs]
    Path(output).write_bytes(jobs.read_video(job.id))
