"""The continuous load of a system under test: random callers of every kind."""

import random
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import islice
from threading import Event, Thread
from typing import Any
from uuid import uuid4

from amigo import AmigoError, JobView
from amigo.types import JobRequest
from tests.faults.callers import Callers, Post
from tests.faults.history import Answered, History, Posted, Unanswered
from tests.integration.workers.conftest import picture
from tests.integration.workers.pipelines import FAULTY, NO_FACE, POISON, SLOW
from tests.media import babble, recording
from tests.servers import content, serving

SEEDS = {0: 50, SLOW: 40, NO_FACE: 5, FAULTY: 2, POISON: 2}
"""What the jobs do, and how often relative to each other."""

EXPECTED = {
    0: {"worker_lost", "attempts_used_up"},
    SLOW: {"worker_lost", "attempts_used_up"},
    NO_FACE: {"no_face", "worker_lost", "attempts_used_up"},
    FAULTY: {"internal_error", "worker_lost", "attempts_used_up"},
    POISON: {"worker_lost", "attempts_used_up"},
}
"""The failure codes they may have; no other may occur."""

BATCH = 3
HANDS = 8
"""Number of concurrent callers that do anything but submit and follow."""


class Load:
    """Submits, cancels, deletes, lists and batches, until it is stopped.

    Args:
        callers: the callers.
        history: where everything is recorded.
        inputs: URL of a server run by `serving_inputs`.
        rng: source of randomness.
        rate: approximate number of requests per second.
        repeats: whether requests are repeated after a response.
    """

    def __init__(
        self,
        callers: Callers,
        history: History,
        inputs: str,
        rng: random.Random,
        rate: float,
        *,
        repeats: bool,
    ) -> None:
        self._callers = callers
        self._inputs = inputs
        self._history = history
        self._rng = rng
        self._rate = rate
        self._repeats = repeats
        self._stop = Event()
        self._thread = Thread(target=self._run, name="load")
        self._hands = ThreadPoolExecutor(HANDS, "hand")
        self._made: list[tuple[Post, dict[str, Any]]] = []
        self.posts: list[Post] = []

    @contextmanager
    def running(self) -> Iterator[None]:
        """Generate load within the context, until `stop`; current submissions then continue."""
        self._thread.start()
        try:
            yield
        finally:
            self.stop()
            self._thread.join()
            self._hands.shutdown()

    def stop(self) -> None:
        """Send no more requests."""
        self._stop.set()

    def _run(self) -> None:
        actions: dict[Callable[[], None], int] = {
            self._post: 80,
            self._cancel: 7,
            self._delete: 5,
            self._list: 5,
            self._batch: 3,
            **({self._repeat: 6} if self._repeats else {}),
        }
        while not self._stop.wait(self._rng.expovariate(self._rate)):
            self._rng.choices([*actions], [*actions.values()])[0]()

    def _post(self) -> None:
        seed = self._rng.choices([*SEEDS], [*SEEDS.values()])[0]
        seconds = self._rng.choice((1, 1, 2))
        priority = self._rng.choices(("normal", "high", "low"), (8, 1, 1))[0]
        self._send(uuid4().hex, {"seed": seed, "seconds": seconds, "priority": priority})

    def _send(self, key: str, options: dict[str, Any]) -> None:
        post = self._callers.post(key=key, **options)
        self._made.append((post, options))
        self.posts.append(post)

    def _repeat(self) -> None:
        """Repeat a request, like a caller that missed the response."""
        if self._made:
            earlier, options = self._rng.choice(self._made[-20:])
            self._send(earlier.key, options)

    def _cancel(self) -> None:
        if job_id := self._recent_job():
            self._lend_a_hand(lambda: self._callers.cancel(job_id))

    def _delete(self) -> None:
        if job_id := self._recent_job():
            self._lend_a_hand(lambda: self._callers.delete(job_id))

    def _list(self) -> None:
        def look() -> None:
            with self._callers.client() as client:
                list(islice(client.list(page_size=5), 20))

        self._lend_a_hand(look)

    def _batch(self) -> None:
        requests = [
            JobRequest.of(f"{self._inputs}/portrait", f"{self._inputs}/audio", consent=True)
        ] * BATCH
        self._lend_a_hand(lambda: self._send_batch(requests))

    def _send_batch(self, requests: Sequence[JobRequest]) -> None:
        key = uuid4().hex
        keys = [f"{key} {number}" for number in range(len(requests))]
        for each in keys:
            self._history.record(Posted(each))
        try:
            with self._callers.client() as client:
                results = client.submit_batch(requests, idempotency_key=key)
        except AmigoError as error:
            for each in keys:
                self._history.record(Unanswered(each, repr(error)))
            raise
        for each, result in zip(keys, results, strict=True):
            if isinstance(result, JobView):
                response = Answered(each, 202, result.id)
            else:
                response = Answered(each, result.status)
            self._history.record(response)

    def _recent_job(self) -> str | None:
        known = [post.accepted for post, _ in self._made[-12:]]
        ids = [each.result() for each in known if each.done() and not each.exception()]
        return self._rng.choice(ids) if ids else None

    def _lend_a_hand(self, action: Callable[[], None]) -> None:
        def act() -> None:
            try:
                action()
            except AmigoError:
                return  # rejected or unreachable, which is allowed

        self._hands.submit(act)


@contextmanager
def serving_inputs() -> Iterator[str]:
    """Serve a portrait and a speech clip for jobs with URLs; yield the server's URL."""
    files = {"/portrait": picture(), "/audio": recording(babble(1.0), "wav", "pcm_s16le")}
    with serving(lambda handler: content(files[handler.path])(handler)) as server:
        yield server.url
