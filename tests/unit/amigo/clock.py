"""Fake time that only passes during sleeps."""

from functools import partial

import pytest
from tenacity import AsyncRetrying, Retrying

from amigo import async_client, calls, client


class Clock:
    """Replaces `time`: nobody waits, and every delay is recorded."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.pauses: list[float] = []

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        if seconds:
            self.pauses.append(seconds)

    async def sleep_async(self, seconds: float) -> None:
        self.sleep(seconds)

    def install(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Make both clients and their retries use this clock."""
        monkeypatch.setattr(calls, "time", self)
        monkeypatch.setattr(client, "time", self)
        monkeypatch.setattr(client, "Retrying", partial(Retrying, sleep=self.sleep))
        monkeypatch.setattr(async_client, "sleep", self.sleep_async)
        monkeypatch.setattr(
            async_client, "AsyncRetrying", partial(AsyncRetrying, sleep=self.sleep_async)
        )
