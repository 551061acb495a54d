"""Tokens in URLs and webhook secrets: who can read what, and for how long."""

from datetime import UTC, datetime, timedelta

import pytest
from pydantic import SecretStr

from jobs.errors import KeyInvalid
from jobs.job import Job
from jobs.settings import SigningSettings
from jobs.signatures import Signatures, SignedUrls, UrlToken
from tests.jobs_examples import new_job

NOW = datetime(2026, 11, 22, 12, 30, tzinfo=UTC)
SIGNATURES = Signatures(SigningSettings().webhook_secret)
TOKEN = UrlToken(tenant="acme", key_id="5f0e", job_id="job_a", expires=int(NOW.timestamp()) + 60)


def test_a_signed_token_is_read_until_it_expires() -> None:
    text = SIGNATURES.sign(TOKEN)
    assert SIGNATURES.verify(text, NOW) == TOKEN
    with pytest.raises(KeyInvalid, match="expired"):
        SIGNATURES.verify(text, NOW + timedelta(minutes=1))


@pytest.mark.parametrize("text", ["", ".", "a.b", "ä.ö", "%%.%%", "e30.e30"])
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(KeyInvalid, match="invalid"):
        SIGNATURES.verify(text, NOW)


def test_a_changed_claim_or_another_secret_is_refused() -> None:
    claims, signature = SIGNATURES.sign(TOKEN).split(".")
    other = SIGNATURES.sign(TOKEN.model_copy(update={"tenant": "other"})).split(".")[0]
    for text in (f"{other}.{signature}", f"{claims}.{signature[:-2]}", claims):
        with pytest.raises(KeyInvalid):
            SIGNATURES.verify(text, NOW)
    stranger = Signatures(SecretStr("whsec_" + "c2VjcmV0" * 4))
    with pytest.raises(KeyInvalid):
        stranger.verify(SIGNATURES.sign(TOKEN), NOW)


def test_each_tenant_and_generation_has_its_own_webhook_secret() -> None:
    secrets = {SIGNATURES.webhook_secret(tenant, n) for tenant in ("a", "b") for n in (0, 1)}
    assert len(secrets) == 4
    assert SIGNATURES.webhook_secret("a", 0) in secrets


def url_of(job: Job, now: datetime, base_url: str | None = "https://amigo.example") -> str | None:
    urls = SignedUrls(SIGNATURES, base_url, timedelta(hours=1), timedelta(hours=24))
    return urls.url(job, "video", now)


def test_a_url_is_absolute_and_the_same_within_an_hour() -> None:
    job = new_job(tenant="acme").model_copy(update={"updated_at": NOW})
    first, later = url_of(job, NOW), url_of(job, NOW + timedelta(minutes=20))
    assert first == later
    assert first is not None
    assert first.startswith(f"https://amigo.example/v1/jobs/{job.id}/video?token=")
    assert url_of(job, NOW + timedelta(hours=1)) != first
    token = SIGNATURES.verify(first.partition("token=")[2], NOW)
    assert (token.tenant, token.job_id) == ("acme", job.id)
    assert timedelta(hours=1) <= datetime.fromtimestamp(token.expires, UTC) - NOW


def test_a_url_ends_with_its_job() -> None:
    job = new_job().model_copy(update={"updated_at": NOW})
    end = NOW + timedelta(hours=24)
    url = url_of(job, end - timedelta(minutes=1))
    assert url is not None
    assert SIGNATURES.verify(url.partition("token=")[2], NOW).expires == end.timestamp()


def test_there_is_no_url_without_a_base_url() -> None:
    assert url_of(new_job(), NOW, base_url=None) is None
