"""The service's components, in memory."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from fastapi import FastAPI

from media.faces.finder import FaceFinder
from media.sandbox.decoder import Decoder
from service.app import create_app
from service.dependencies import Components
from service.reading.watching import JobWatcher
from service.settings import ServiceSettings
from tests.fakes.decoder import DirectDecoder, FakeFinder
from tests.fakes.stores import FakeAssetQuota, FakeQueue, FakeStorage, FakeStore


class FakeWatcher(JobWatcher):
    """Only receives what is announced to it."""

    def __init__(self) -> None:
        super().__init__("unix:///nowhere")

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        yield


@dataclass(frozen=True)
class Backstage:
    """The components of the app under test."""

    store: FakeStore = field(default_factory=FakeStore)
    storage: FakeStorage = field(default_factory=FakeStorage)
    queue: FakeQueue = field(default_factory=FakeQueue)
    watcher: FakeWatcher = field(default_factory=FakeWatcher)
    asset_quota: FakeAssetQuota = field(default_factory=FakeAssetQuota)
    decoder: Decoder = field(default_factory=DirectDecoder)
    finder: FaceFinder = field(default_factory=FakeFinder)

    def app(self, settings: ServiceSettings) -> FastAPI:
        """Return an app with them."""
        return create_app(settings, self.components(settings))

    def components(self, settings: ServiceSettings) -> Components:
        """Return them, and real ones for the rest."""
        return Components.wire(
            settings,
            self.store,
            self.storage,
            self.queue,
            self.watcher,
            self.decoder,
            self.asset_quota,
            self.finder,
        )
