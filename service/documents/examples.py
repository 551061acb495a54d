"""Examples for the OpenAPI document, built from real values."""

from datetime import UTC, datetime, timedelta
from typing import Any

from pydantic import BaseModel, JsonValue

from jobs.assets import Asset, AssetKind
from jobs.consent import STATEMENT, Consent
from jobs.documents import JobDocument, WebhookDocument, WebhookEvent
from jobs.eta import Estimate, Run
from jobs.job import Job, JobStatus, Stage
from jobs.options import Options
from jobs.s3.object_store import PresignedPut
from jobs.settings import SigningSettings
from jobs.signatures import SignedUrls
from jobs.valkey.api_keys import Quota
from jobs.valkey.listing import Cursor
from jobs.valkey.quotas import Usage
from jobs.valkey.webhook_outbox import Delivery, DeliveryStatus
from jobs.values import HeardEmotion, Result, WebhookEventType
from media.faces.inspection import Box, FoundFace, Inspection, Refusal
from service.documents.checks import CheckDocument, LimitsDocument
from service.documents.schemas import (
    AssetDocument,
    AssetPage,
    BatchDocument,
    BatchResult,
    JobPage,
    Liveness,
    ProblemDocument,
    ProblemTypeDocument,
    Readiness,
    TokenDocument,
    UsageDocument,
    UsageLimitDocument,
    WebhookSecretDocument,
    WebhookTestDocument,
)
from service.intake.checks import Checked
from service.problems import Problem, ProblemType, problem_document
from service.settings import ServiceSettings

_NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
_RETENTION = timedelta(hours=24)
_JOB_ID = "job_q4Jx0cVYbL1mZ8sW2nTfRg"
_REQUEST_ID = "6f0e3a52-1f6e-4b4e-9b53-3a1c8f0c9a11"
_WEBHOOK = "https://example.com/webhook"
_TAG = '"5e884898da28047151d0e56f8dc62927"'

_QUEUED = Job(
    id=_JOB_ID,
    options=Options(consent=True),
    consent=Consent(affirmed_at=_NOON),
    key_id="5f0e3a521f6e4b4e",
    metadata={"order": "4711"},
    audio_seconds=4.2,
    webhook_url=_WEBHOOK,
    created_at=_NOON,
    updated_at=_NOON,
)
_CLAIMED = _QUEUED.claim(_NOON + timedelta(seconds=2))
_PROCESSING = _CLAIMED.advance(1, Stage.RENDERING, 0.42, _NOON + timedelta(seconds=7))
_SUCCEEDED = _PROCESSING.succeed(
    1,
    Result(
        video_key="video.mp4",
        poster_key="poster.jpg",
        landmarks_key="landmarks.npz",
        width=256,
        height=256,
        num_frames=105,
        duration=4.2,
        emotion=HeardEmotion(
            emotion="happiness", probabilities={"happiness": 0.81, "neutral": 0.19}
        ),
        timings={"render": 9.1},
    ),
    (),
    _NOON + timedelta(seconds=12),
)
_URLS_SIGNED = SignedUrls.of(SigningSettings(public_url="https://amigo.example.com"))
_RUNS = (str(Run(4.0, 10.0)), str(Run(8.0, 18.0)))

_FIELDS: dict[str, JsonValue] = {"consent": True, "emotion": "happiness", "seed": 7}
_URLS: dict[str, JsonValue] = {
    "portrait_url": "https://example.com/portrait.jpg",
    "audio_url": "https://example.com/speech.wav",
}
_ASSET = Asset(
    id="asset_Vb0Jw3rXcQm9s1ZkTfYh2A",
    tenant="acme",
    kind=AssetKind.PORTRAIT,
    size=184_320,
    content_type="image/jpeg",
    created_at=_NOON,
)


def problem_example(problem_type: ProblemType, detail: str | None = None) -> dict[str, object]:
    """Return the document of a problem."""
    sentence = detail or "A sentence that explains what was given and what is accepted."
    return problem_document(Problem(problem_type, sentence), _REQUEST_ID)


def _document(
    job: Job, estimate: Estimate | None = None, delivery: Delivery | None = None
) -> JobDocument:
    return JobDocument.of(job, _RETENTION, estimate, delivery, _URLS_SIGNED, _NOON)


_QUEUED_DOCUMENT = _document(_QUEUED, Estimate(1, (), _RUNS, _QUEUED.updated_at))
_PROCESSING_DOCUMENT = _document(_PROCESSING, Estimate(None, (), _RUNS, _PROCESSING.updated_at))
_SUCCEEDED_DOCUMENT = _document(
    _SUCCEEDED, delivery=Delivery(status=DeliveryStatus.DELIVERED, attempts=1)
)
_CANCELED_DOCUMENT = _document(_PROCESSING.cancel(_NOON + timedelta(seconds=8)))
_REFUSAL = ProblemDocument.model_validate(
    problem_example(
        ProblemType.CONSENT_REQUIRED,
        f"The option consent is False; only true is accepted, which affirms “{STATEMENT}”",
    )
)


def _json(document: BaseModel) -> Any:
    return document.model_dump(mode="json")


WEBHOOK: JsonValue = _json(
    WebhookEvent(
        type=WebhookEventType.SUCCEEDED,
        timestamp=_SUCCEEDED.updated_at,
        data=_document(_SUCCEEDED),
    )
)
"""An example notification."""

_SECRETS = WebhookSecretDocument(
    secret="whsec_…",  # noqa: S106 - an example
    previous_secret=None,
    previous_expires_at=None,
)
_TEST = WebhookTestDocument(
    id="test_q4Jx0cVYbL1mZ8sW2nTfRg", webhook=WebhookDocument.of(_SUCCEEDED, Delivery())
)

_USAGE = UsageDocument.of(
    Usage(
        day_start=_NOON - timedelta(hours=12),
        now=_NOON,
        created=42,
        unfinished=3,
        ended={JobStatus.SUCCEEDED: 37, JobStatus.FAILED: 1, JobStatus.CANCELED: 1},
        video_seconds=411.6,
    ),
    Quota(jobs_a_day=1000, concurrent_jobs=100),
    UsageLimitDocument(limit=600, remaining=598),
)

_CHECK = CheckDocument.of(
    Checked(
        portrait=Inspection(
            width=512,
            height=512,
            faces=(FoundFace(Box(124.3, 96.1, 263.8, 307.2), Box(10, 8, 490, 490), 119.4),),
            speaker=1,
        ),
        audio=Refusal(
            "audio_too_short", "The recording is 0.05 s long; at least 0.2 s is required."
        ),
    )
)

_ASSET_DOCUMENT = AssetDocument.of(_ASSET, is_uploaded=True)

PARAMETERS: dict[str, JsonValue] = {
    "job_id": _JOB_ID,
    "asset_id": _ASSET.id,
    "test_id": "test_q4Jx0cVYbL1mZ8sW2nTfRg",
    "code": "audio_too_short",
    "wait": 30,
    "limit": 50,
    "cursor": str(Cursor(1_795_348_800_000, _JOB_ID)),
    "status": ["queued", "processing"],
    "created_after": "2026-11-22T00:00:00Z",
    "created_before": "2026-11-23T00:00:00Z",
    "metadata": {"order": "4711"},
    "Idempotency-Key": "order-4711",
    "prefer": "wait=30",
    "if-none-match": _TAG,
    "if-match": _TAG,
    "last-event-id": "1795348807000-0",
    "range": "bytes=0-65535",
    "if-range": _TAG,
    "download": True,
    "redirect": False,
    "format": "npz",
    "attempt": 1,
    "file": "media.m3u8",
}
"""An example value of each parameter, by name."""

REQUESTS: dict[str, dict[str, JsonValue]] = {
    "create_job": {
        "multipart/form-data": {
            **_FIELDS,
            "portrait": "the content of portrait.jpg",
            "audio": "the content of speech.wav",
        },
    },
    "create_job_from_json": {
        "application/json": {
            **_FIELDS,
            **_URLS,
            "metadata": {"order": "4711"},
            "webhook_url": _WEBHOOK,
        },
    },
    "create_jobs": {
        "application/json": {"jobs": [{**_FIELDS, **_URLS}, {**_FIELDS, **_URLS, "consent": False}]}
    },
    "check_files": {
        "multipart/form-data": {
            "portrait": "the content of portrait.jpg",
            "audio": "the content of speech.wav",
        }
    },
    "announce_asset": {
        "application/json": {"kind": "portrait", "size": 184_320, "content_type": "image/jpeg"}
    },
    "send_test_webhook": {"application/json": {"url": _WEBHOOK}},
    "create_token": {"application/json": {"job_id": _JOB_ID, "seconds": 600}},
}
"""An example body for each operation that takes one, by content type."""

_CREATED: dict[str, JsonValue] = {
    "200": _json(_SUCCEEDED_DOCUMENT),
    "202": _json(_QUEUED_DOCUMENT),
}

RESPONSES: dict[str, dict[str, JsonValue]] = {
    "create_job": _CREATED,
    "create_job_from_json": _CREATED,
    "create_jobs": {
        "200": _json(
            BatchDocument(
                results=[
                    BatchResult(status=202, job=_QUEUED_DOCUMENT),
                    BatchResult(status=_REFUSAL.status, problem=_REFUSAL),
                ]
            )
        )
    },
    "check_files": {"200": _json(_CHECK)},
    "read_limits": {"200": _json(LimitsDocument.of(ServiceSettings()))},
    "list_jobs": {
        "200": _json(
            JobPage(
                jobs=[_PROCESSING_DOCUMENT, _SUCCEEDED_DOCUMENT],
                next_cursor=str(PARAMETERS["cursor"]),
            )
        )
    },
    "read_job": {"200": _json(_PROCESSING_DOCUMENT)},
    "cancel_job": {"200": _json(_CANCELED_DOCUMENT)},
    "follow_job": {
        "200": f"event: job\nid: 1795348807000-0\ndata: {_PROCESSING_DOCUMENT.model_dump_json()}"
        "\n\n"
    },
    "read_landmarks": {
        "200": {
            "synthetic": True,
            "model": "AMIGO 0.2.0+7f3c0a9be1d24c58",
            "frame_rate": 25,
            "landmarks": [[[92.31, 118.04], [94.6, 131.72]]],
            "emotions": [[0.19, 0.81]],
            "emotion_names": ["neutral", "happiness"],
        }
    },
    "list_assets": {"200": _json(AssetPage(assets=[_ASSET_DOCUMENT]))},
    "read_asset": {"200": _json(_ASSET_DOCUMENT)},
    "announce_asset": {
        "201": _json(
            AssetDocument.of(
                _ASSET,
                PresignedPut(
                    url="https://objects.example.com/amigo/assets/acme/…?X-Amz-Signature=…",
                    headers={"Content-Type": "image/jpeg", "Content-Length": "184320"},
                ),
            )
        )
    },
    "create_token": {
        "201": _json(
            TokenDocument(
                token="eyJ0ZW5hbnQiOi….MEUCIQD…",  # noqa: S106 - an example
                job_id=_JOB_ID,
                expires_at=_NOON + timedelta(minutes=10),
            )
        )
    },
    "read_usage": {"200": _json(_USAGE)},
    "read_webhook_secret": {"200": _json(_SECRETS)},
    "rotate_webhook_secret": {"200": _json(_SECRETS)},
    "send_test_webhook": {"202": _json(_TEST)},
    "read_test_webhook": {"200": _json(_TEST)},
    "redeliver_webhook": {"202": _json(_SUCCEEDED_DOCUMENT)},
    "read_liveness": {"200": _json(Liveness())},
    "read_readiness": {"200": _json(Readiness(store=True, storage=True))},
    "read_metrics": {
        "200": "# TYPE amigo_jobs gauge\n"
        'amigo_jobs{status="queued"} 3.0\namigo_jobs{status="processing"} 1.0\n'
    },
    "list_problem_types": {
        "200": [
            _json(ProblemTypeDocument.of(each))
            for each in (ProblemType.AUDIO_TOO_SHORT, ProblemType.JOB_NOT_FOUND)
        ]
    },
    "read_problem_type": {"200": _json(ProblemTypeDocument.of(ProblemType.AUDIO_TOO_SHORT))},
}
"""Example responses by operation and status, except for files and empty responses."""
