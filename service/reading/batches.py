"""Reads jobs for requests that arrive at about the same time, together."""

import asyncio
from collections import defaultdict
from collections.abc import Sequence

from anyio import to_thread

from jobs.errors import JobNotFound, StoreUnavailable
from jobs.valkey.job_store import JobStore
from jobs.valkey.readings import Reading

LARGEST = 50
"""Maximum number of jobs read at a time."""


class ReadingBatches:
    """Reads one batch of jobs at a time, each with whatever was asked for during the one before.

    A request alone is read at once. Under load, requests share a round trip and a thread, and none
    is read before it was asked for. All methods run in the event loop.
    """

    def __init__(self, store: JobStore) -> None:
        self._store = store
        self._wanted: dict[str, list[asyncio.Future[Reading]]] = defaultdict(list)
        self._work: asyncio.Task[None] | None = None

    async def read(self, job_id: str) -> Reading:
        """Return the job with what else the store knows about it.

        Raises:
            JobNotFound: there is no job with this id.
            StoreUnavailable: the store does not respond.
        """
        future: asyncio.Future[Reading] = asyncio.get_running_loop().create_future()
        self._wanted[job_id].append(future)
        if self._work is None or self._work.done():
            self._work = asyncio.create_task(self._read_all())
        return await future

    async def _read_all(self) -> None:
        while self._wanted:
            batch = {job_id: self._wanted.pop(job_id) for job_id in list(self._wanted)[:LARGEST]}
            results = await to_thread.run_sync(self._results, list(batch))
            for futures, result in zip(batch.values(), results, strict=True):
                _settle(futures, result)

    def _results(self, job_ids: Sequence[str]) -> list[Reading | Exception]:
        """Return each job's reading or error, in order."""
        try:
            found = {reading.job.id: reading for reading in self._store.readings(job_ids)}
        except StoreUnavailable as error:
            return [error] * len(job_ids)
        except Exception as error:  # noqa: BLE001 - raised where the job was asked for
            # One record that cannot be read must not be the others' error.
            return [error] if len(job_ids) == 1 else [self._results([each])[0] for each in job_ids]
        missing = "There is no job with the id {}."
        return [found.get(job_id) or JobNotFound(missing.format(job_id)) for job_id in job_ids]


def _settle(futures: list[asyncio.Future[Reading]], result: Reading | Exception) -> None:
    for future in futures:
        if future.done():  # its request was canceled
            continue
        if isinstance(result, Exception):
            future.set_exception(result)
        else:
            future.set_result(result)
