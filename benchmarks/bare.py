"""The baseline for the service: empty routes, and a channel that only forwards."""

import asyncio
from collections.abc import AsyncIterator

from fastapi import FastAPI, UploadFile
from starlette.responses import StreamingResponse

from service.documents.examples import RESPONSES

DOCUMENT = RESPONSES["read_job"]["200"]

app = FastAPI()
change = asyncio.Event()


@app.get("/v1/jobs/{job_id}")
async def read_job(job_id: str) -> object:
    return DOCUMENT


@app.get("/v1/jobs/{job_id}/events")
async def follow_job(job_id: str) -> StreamingResponse:
    return StreamingResponse(_events(), media_type="text/event-stream")


@app.post("/v1/jobs/{job_id}/change")
async def change_job(job_id: str) -> None:
    change.set()


@app.post("/v1/jobs", status_code=202)
async def create_job(portrait: UploadFile, audio: UploadFile) -> object:
    await portrait.read()
    await audio.read()
    return DOCUMENT


async def _events() -> AsyncIterator[str]:
    yield "event: job\ndata: {}\n\n"
    await change.wait()
    yield "event: job\ndata: {}\n\n"
