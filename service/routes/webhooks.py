"""Webhooks: the tenant's secret, test notifications, and repeated deliveries."""

import secrets
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Request, status

from jobs.documents import JobDocument, WebhookDocument, WebhookEvent
from jobs.errors import UrlRefused
from jobs.job import Job
from jobs.options import Options
from jobs.spelling import Spelling
from jobs.valkey.api_keys import Scope
from jobs.valkey.webhook_outbox import TEST_PREFIX, Delivery
from jobs.values import HeardEmotion, Result
from service.auth import CallerDep, OwnJob, require_scope
from service.dependencies import AppComponents
from service.documents.openapi import problem_responses, webhook_test_body
from service.documents.schemas import (
    WebhookSecretDocument,
    WebhookTestDocument,
    WebhookTestRequest,
)
from service.intake.json_body import receive_document
from service.intake.requests import invalid_option
from service.problems import Problem, ProblemType
from service.routes.preconditions import IfMatch, expected_job
from service.routes.presenter import JobPresenterDep

# The secret lets its holder forge notifications, so it takes more than the right to read jobs.
router = APIRouter(tags=["webhooks"], dependencies=[require_scope(Scope.JOBS_WRITE)])

sent = APIRouter()
"""What the service sends; the OpenAPI document lists it."""

_UNAVAILABLE = problem_responses(ProblemType.STORE_UNAVAILABLE)


@router.get(
    "/v1/webhooks/secret",
    summary="Get the webhook secret",
    response_description="The valid secrets.",
    responses=_UNAVAILABLE,
)
def read_webhook_secret(caller: CallerDep, components: AppComponents) -> WebhookSecretDocument:
    """Return the secret that signs your webhooks. Each tenant has its own."""
    return WebhookSecretDocument.of(components.webhook_secrets.of(caller.tenant))


@router.post(
    "/v1/webhooks/secret/rotate",
    summary="Rotate the webhook secret",
    response_description="The new secret, and the previous one.",
    responses=_UNAVAILABLE,
)
def rotate_webhook_secret(caller: CallerDep, components: AppComponents) -> WebhookSecretDocument:
    """Create a new secret. For a day, webhooks are signed with both."""
    return WebhookSecretDocument.of(components.webhook_secrets.rotate(caller.tenant))


async def _wanted(request: Request, _: CallerDep, components: AppComponents) -> WebhookTestRequest:
    wanted = await receive_document(request, WebhookTestRequest, components.settings)
    try:
        components.settings.url_rules.check(wanted.url)
    except UrlRefused as error:
        raise invalid_option("url", str(error)) from error
    return wanted


@router.post(
    "/v1/webhooks/tests",
    summary="Send a test notification",
    status_code=status.HTTP_202_ACCEPTED,
    response_description="The notification will be sent soon.",
    responses=problem_responses(
        ProblemType.MALFORMED_REQUEST,
        ProblemType.UPLOAD_INCOMPLETE,
        ProblemType.UPLOAD_TIMEOUT,
        ProblemType.BODY_TOO_LARGE,
        ProblemType.UNSUPPORTED_MEDIA_TYPE,
        ProblemType.UNSUPPORTED_CONTENT_ENCODING,
        ProblemType.INVALID_REQUEST,
        ProblemType.INVALID_OPTION,
        ProblemType.STORE_UNAVAILABLE,
    ),
    openapi_extra=webhook_test_body(),
)
def send_test_webhook(
    wanted: Annotated[WebhookTestRequest, Depends(_wanted)],
    caller: CallerDep,
    components: AppComponents,
) -> WebhookTestDocument:
    """Send `webhook.test` with a sample job, signed and retried like any other notification."""
    job = _sample_job(caller.tenant, wanted.url)
    components.webhooks.send_test(job)
    return _document(job, Delivery())


@router.get(
    "/v1/webhooks/tests/{test_id}",
    summary="Get a test notification",
    response_description="The state of its delivery.",
    responses=problem_responses(
        ProblemType.JOB_NOT_FOUND, ProblemType.INVALID_REQUEST, ProblemType.STORE_UNAVAILABLE
    ),
)
def read_test_webhook(
    test_id: Annotated[
        str,
        Spelling(r"^test_[A-Za-z0-9_-]{1,60}$", "the id of a test, which begins with test_"),
        Path(description="The `id` of the test."),
    ],
    caller: CallerDep,
    components: AppComponents,
) -> WebhookTestDocument:
    """Return the state of a test notification. It is kept for a day."""
    job, delivery = components.webhooks.test(test_id), components.webhooks.delivery(test_id)
    if job is None or delivery is None or job.tenant != caller.tenant:
        raise Problem(
            ProblemType.JOB_NOT_FOUND,
            "There is no test notification with this id; it may have expired.",
        )
    return _document(job, delivery)


@router.post(
    "/v1/jobs/{job_id}/webhook",
    summary="Deliver a job's webhook again",
    status_code=status.HTTP_202_ACCEPTED,
    response_description="The notification will be sent soon.",
    responses=problem_responses(
        ProblemType.JOB_NOT_FOUND,
        ProblemType.NO_NOTIFICATION,
        ProblemType.PRECONDITION_FAILED,
        ProblemType.STORE_UNAVAILABLE,
    ),
)
def redeliver_webhook(
    job: OwnJob,
    components: AppComponents,
    presenter: JobPresenterDep,
    if_match: IfMatch = None,
) -> JobDocument:
    """Send the notification of an ended job again, whether or not it was delivered. The
    `webhook-id` stays the same.
    """
    if job.webhook_url is None or not job.status.is_final:
        reason = "has no webhook_url" if job.webhook_url is None else f"is {job.status}"
        raise Problem(
            ProblemType.NO_NOTIFICATION,
            f"The job {reason}; only an ended job with a webhook_url has a notification.",
        )
    expected_job(components, job, if_match)
    components.webhooks.deliver_again(job.id)
    return presenter.describe(job)


@sent.post(
    "job-ended",
    summary="A job has ended",
    responses={
        "2XX": {"description": "The notification was received."},
        410: {"description": "Disables the webhook of this job."},
    },
    status_code=status.HTTP_204_NO_CONTENT,
    response_description="The notification was received.",
)
def job_ended(event: WebhookEvent) -> None:
    """Sent to `webhook_url` when a job ends, signed as defined by Standard Webhooks: the headers
    are `webhook-id`, `webhook-timestamp` and `webhook-signature`.
    """


def _sample_job(tenant: str, url: str) -> Job:
    job = Job.create(Options(consent=True), tenant=tenant, webhook_url=url)
    test_id = TEST_PREFIX + secrets.token_urlsafe(16)
    result = Result(
        video_key="",
        num_frames=25,
        duration=1.0,
        width=512,
        height=512,
        emotion=HeardEmotion(emotion="neutral", probabilities={"neutral": 1.0}),
        timings={},
    )
    now = job.created_at
    ended = job.claim(now).succeed(1, result, (), now)
    return ended.model_copy(update={"id": test_id})


def _document(job: Job, delivery: Delivery) -> WebhookTestDocument:
    return WebhookTestDocument(id=job.id, webhook=WebhookDocument.of(job, delivery))
