"""`amigo keys` against the real stores."""

import pytest
from typer.testing import CliRunner, Result

from amigo.cli import main
from jobs.errors import KeyInvalid
from jobs.s3.api_key_backup import backup_key
from jobs.s3.object_store import ObjectStorage
from jobs.settings import Settings
from jobs.valkey.api_keys import ApiKey, ApiKeyStore, Quota, Scope


@pytest.fixture
def keys(settings: Settings) -> ApiKeyStore:
    return ApiKeyStore.connect(settings)


@pytest.fixture(autouse=True)
def environment(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("valkey_url", "s3_endpoint_url", "s3_bucket", "s3_access_key"):
        monkeypatch.setenv(f"AMIGO_{name.upper()}", getattr(settings, name))
    monkeypatch.setenv("AMIGO_S3_SECRET_KEY", settings.s3_secret_key.get_secret_value())


def amigo(*arguments: str) -> Result:
    return CliRunner().invoke(main.app, ["keys", *arguments])


def test_a_new_keys_token_is_all_that_goes_to_stdout(
    keys: ApiKeyStore, storage: ObjectStorage
) -> None:
    made = amigo("create", "acme", "--name", "web shop", "--jobs-a-day", "0", "--days", "1.5")
    assert made.exit_code == 0, made.output
    key = keys.verify(made.stdout.strip())
    assert (key.tenant, key.name, key.scopes) == ("acme", "web shop", frozenset(Scope))
    assert key.quota == Quota(requests_a_minute=600, concurrent_jobs=100)
    assert key.expires_at is not None
    assert (key.expires_at - key.created_at).total_seconds() == 1.5 * 86400
    assert key.id in made.stderr
    assert ApiKey.model_validate_json(storage.get(backup_key(key.id))) == key


def test_a_key_can_be_read_only(keys: ApiKeyStore) -> None:
    made = amigo("create", "acme", "--only", "jobs:read")
    assert keys.verify(made.stdout.strip()).scopes == frozenset({Scope.JOBS_READ})


def test_the_list_shows_every_key_and_no_token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    tokens = [
        amigo("create", tenant, "--name", "[b]shop[/b]").stdout.strip()
        for tenant in ("acme", "globex")
    ]
    listed = amigo("list")
    assert listed.exit_code == 0, listed.output
    assert "acme" in listed.stdout
    assert "globex" in listed.stdout
    assert "[b]shop[/b]" in listed.stdout
    assert not any(token[-43:] in listed.output for token in tokens)


def test_a_narrow_list_cuts_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert amigo("create", "acme", "--name", "web shop").exit_code == 0
    listed = amigo("list")
    assert "web shop" in listed.stdout
    assert "…" not in listed.stdout


def test_a_revoked_key_is_rejected_and_its_backup_is_updated(
    keys: ApiKeyStore, storage: ObjectStorage
) -> None:
    token = amigo("create", "acme").stdout.strip()
    key = keys.verify(token)
    revoked = amigo("revoke", key.id)
    assert (revoked.exit_code, key.id in revoked.stdout) == (0, True)
    with pytest.raises(KeyInvalid, match="revoked"):
        keys.verify(token)
    assert b'"revoked_at":"' in storage.get(backup_key(key.id))


def test_an_unknown_key_is_an_error() -> None:
    refused = amigo("revoke", "nothing")
    assert refused.exit_code == 1
    assert "There is no API key with the id nothing" in refused.stderr


def test_an_invalid_tenant_is_an_error(keys: ApiKeyStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    refused = amigo("create", "a:b")
    assert refused.exit_code == 2
    assert "TENANT: Input should be 1 to 64 ASCII letters, digits" in refused.stderr
    assert "AMIGO_TENANT" not in refused.stderr  # which is not a setting
    assert keys.all() == []


def test_a_key_is_created_even_without_the_object_store(
    keys: ApiKeyStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AMIGO_S3_ENDPOINT_URL", "http://127.0.0.1:1")
    made = amigo("create", "acme")
    assert (made.exit_code, "backup" in made.stderr) == (0, True)
    assert keys.verify(made.stdout.strip()).tenant == "acme"


def test_no_key_is_created_without_valkey(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AMIGO_VALKEY_URL", "redis://:hidden@127.0.0.1:1/0")
    refused = amigo("create", "acme")
    assert refused.exit_code == 1
    assert refused.stdout == ""
    assert "Valkey is unavailable" in refused.stderr
    assert "hidden" not in refused.output
