"""The components used by the routes, created once per app."""

from dataclasses import dataclass
from typing import Annotated, Self

from fastapi import Depends, Request

from jobs.queue import JobQueue, create_celery
from jobs.s3.object_store import ObjectStorage
from jobs.signatures import Signatures
from jobs.valkey.api_keys import ApiKeyStore
from jobs.valkey.asset_quota import AssetQuota
from jobs.valkey.job_store import JobStore
from jobs.valkey.webhook_outbox import WebhookOutbox
from jobs.valkey.webhook_secrets import WebhookSecrets
from media.faces.finder import FaceFinder
from media.sandbox.decoder import Decoder
from service.intake.checks import Checks
from service.intake.submissions import Submissions
from service.metrics import ServiceMetrics
from service.rate_limits import RequestLimits
from service.readiness import ReadinessProbes
from service.reading.batches import ReadingBatches
from service.reading.serialized import SerializedJobs
from service.reading.watching import JobWatcher
from service.settings import ServiceSettings


@dataclass(frozen=True)
class Components:
    """The store, the object store, the queue, and the services built on them."""

    settings: ServiceSettings
    store: JobStore
    storage: ObjectStorage
    decoder: Decoder
    finder: FaceFinder
    submissions: Submissions
    checks: Checks
    metrics: ServiceMetrics
    watcher: JobWatcher
    webhooks: WebhookOutbox
    keys: ApiKeyStore
    signatures: Signatures
    webhook_secrets: WebhookSecrets
    request_limits: RequestLimits
    asset_quota: AssetQuota
    serialized: SerializedJobs
    readings: ReadingBatches
    readiness: ReadinessProbes

    @classmethod
    def connect(cls, settings: ServiceSettings) -> Self:
        """Create the real components, without connecting to any of them."""
        storage = ObjectStorage.connect(settings)
        components = cls.wire(
            settings, JobStore.connect(settings), storage, JobQueue(create_celery(settings))
        )
        storage.measure(components.metrics.storage)
        return components

    @classmethod
    def wire(
        cls,
        settings: ServiceSettings,
        store: JobStore,
        storage: ObjectStorage,
        queue: JobQueue,
        watcher: JobWatcher | None = None,
        decoder: Decoder | None = None,
        asset_quota: AssetQuota | None = None,
        finder: FaceFinder | None = None,
    ) -> Self:
        """Use the given components; the others come from the settings."""
        watcher = watcher or JobWatcher(settings.valkey_url)
        decoder = decoder or Decoder()
        finder = finder or FaceFinder()
        return cls(
            settings=settings,
            store=store,
            storage=storage,
            decoder=decoder,
            finder=finder,
            submissions=Submissions(store, storage, queue, decoder, settings),
            checks=Checks(decoder, finder, settings.audio_max_seconds),
            metrics=ServiceMetrics(store, watcher),
            watcher=watcher,
            webhooks=WebhookOutbox.connect(settings),
            keys=ApiKeyStore.connect(settings),
            signatures=Signatures(settings.webhook_secret),
            webhook_secrets=WebhookSecrets.connect(settings),
            request_limits=RequestLimits.connect(settings),
            asset_quota=asset_quota or AssetQuota.connect(settings),
            serialized=SerializedJobs(settings),
            readings=ReadingBatches(store),
            readiness=ReadinessProbes(store, storage),
        )


# Like all dependencies that do not block, it is async, which avoids switching threads.
async def _components(request: Request) -> Components:
    components: Components = request.app.state.components
    return components


AppComponents = Annotated[Components, Depends(_components)]
