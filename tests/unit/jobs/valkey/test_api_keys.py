"""API keys, without a store."""

from datetime import UTC, datetime, timedelta

import pytest
from pydantic import SecretStr, ValidationError
from redis import Redis

from jobs.errors import KeyInvalid
from jobs.valkey.api_keys import ApiKey, ApiKeyStore, Quota, Scope, token_id

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
SECRET = "a" * 43
TOKEN = f"amigo_{'0' * 16}_{SECRET}"


def key(**fields: object) -> ApiKey:
    return ApiKey.model_validate(
        {"id": "0" * 16, "tenant": "acme", "digest": "d" * 64, "created_at": NOW, **fields}
    )


def test_a_token_names_its_key() -> None:
    assert token_id(TOKEN) == "0" * 16
    assert token_id(f"amigo_{'9f' * 8}_{'_-' * 21}x") == "9f" * 8


@pytest.mark.parametrize(
    "token",
    [
        "",
        "amigo_",
        SECRET,
        f"{TOKEN}x",
        TOKEN[:-1],
        f"{TOKEN}\n",
        f" {TOKEN}",
        TOKEN.upper(),
        TOKEN.replace("amigo", "other"),
        f"amigo_{'0' * 15}:_{SECRET}",
        f"amigo_{'٣' * 16}_{SECRET}",
    ],
)
def test_a_malformed_token_is_refused_without_a_query(token: str) -> None:
    unreachable = ApiKeyStore(Redis(port=1), SecretStr("s" * 16))
    assert token_id(token) is None
    with pytest.raises(KeyInvalid) as refusal:
        unreachable.verify(token)
    assert SECRET not in str(refusal.value)


def test_a_key_is_valid_until_it_expires_or_is_revoked() -> None:
    assert key().why_invalid(NOW) is None
    expiring = key(expires_at=NOW + timedelta(seconds=1))
    assert expiring.why_invalid(NOW) is None
    assert expiring.why_invalid(NOW + timedelta(seconds=1)) == "expired"
    assert key(revoked_at=NOW).why_invalid(NOW) == "revoked"


@pytest.mark.parametrize("tenant", ["", "a:b", "a/b", "a" * 65, "ä", "a b", "a\n"])
def test_a_tenant_that_would_change_a_store_key_is_refused(tenant: str) -> None:
    with pytest.raises(ValidationError, match="tenant"):
        key(tenant=tenant)


def test_a_quota_of_zero_is_refused() -> None:
    with pytest.raises(ValidationError):
        Quota(concurrent_jobs=0)


def test_a_key_does_not_show_its_digest() -> None:
    assert "d" * 64 not in repr(key())


def test_a_key_survives_json() -> None:
    whole = key(
        scopes=[Scope.JOBS_READ],
        quota=Quota(requests_a_minute=5, concurrent_jobs=2, jobs_a_day=9),
        expires_at=NOW,
        revoked_at=NOW,
    )
    assert ApiKey.model_validate_json(whole.model_dump_json()) == whole
