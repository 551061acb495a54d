"""API keys and their backups: lost ones are restored, revoked ones are not."""

from datetime import timedelta

import pytest
from redis import Redis

from jobs.errors import KeyInvalid
from jobs.queue import JobQueue, create_celery
from jobs.s3.api_key_backup import ApiKeyBackup, backup_key
from jobs.s3.object_store import ObjectStorage
from jobs.settings import Settings
from jobs.valkey.api_keys import ApiKey, ApiKeyStore
from jobs.valkey.job_store import JobStore
from workers.reconciler.reconciler import Reconciler


@pytest.fixture
def keys(settings: Settings) -> ApiKeyStore:
    return ApiKeyStore.connect(settings)


@pytest.fixture
def archive(keys: ApiKeyStore, storage: ObjectStorage) -> ApiKeyBackup:
    return ApiKeyBackup(keys, storage)


def lose_everything(settings: Settings) -> None:
    with Redis.from_url(settings.valkey_url) as client:
        client.flushall()


def copied(storage: ObjectStorage, key: ApiKey) -> ApiKey:
    return ApiKey.model_validate_json(storage.get(backup_key(key.id)))


def test_the_reconciler_restores_the_keys_of_an_emptied_valkey(
    keys: ApiKeyStore, archive: ApiKeyBackup, storage: ObjectStorage, settings: Settings
) -> None:
    key, token = keys.create("acme")
    archive.save(key)
    lose_everything(settings)
    with pytest.raises(KeyInvalid):
        keys.verify(token)
    queue = JobQueue(create_celery(settings))
    store = JobStore.connect(settings)
    Reconciler(store, storage, queue, timedelta(hours=1), archive).run_once()
    assert keys.verify(token) == key


def test_a_revoked_key_is_restored_as_revoked(
    keys: ApiKeyStore, archive: ApiKeyBackup, settings: Settings
) -> None:
    key, token = keys.create("acme")
    archive.save(keys.revoke(key.id))
    lose_everything(settings)
    assert archive.reconcile() == 1
    with pytest.raises(KeyInvalid, match="revoked"):
        keys.verify(token)


def test_missing_backups_are_written_later(
    keys: ApiKeyStore, archive: ApiKeyBackup, storage: ObjectStorage
) -> None:
    key, _ = keys.create("acme")
    assert archive.reconcile() == 0
    assert copied(storage, key) == key


def test_an_outdated_backup_does_not_undo_a_revocation_and_is_rewritten(
    keys: ApiKeyStore, archive: ApiKeyBackup, storage: ObjectStorage
) -> None:
    key, token = keys.create("acme")
    archive.save(key)
    revoked = keys.revoke(key.id)
    # As if it had been revoked a while after the backup: S3 has a resolution of one second.
    late = revoked.model_copy(update={"revoked_at": revoked.created_at + timedelta(minutes=1)})
    keys._client.hset("amigo:keys", key.id, late.model_dump_json())
    assert archive.reconcile() == 0
    assert copied(storage, key) == late
    with pytest.raises(KeyInvalid, match="revoked"):
        keys.verify(token)


def test_a_damaged_backup_is_logged_and_does_not_affect_others(
    keys: ApiKeyStore,
    archive: ApiKeyBackup,
    storage: ObjectStorage,
    settings: Settings,
    caplog: pytest.LogCaptureFixture,
) -> None:
    key, token = keys.create("acme")
    archive.save(key)
    storage.put(backup_key("damaged"), b"{", "application/json")
    lose_everything(settings)
    assert archive.reconcile() == 1
    assert keys.verify(token) == key
    assert "keys/damaged.json" in caplog.text


def test_no_backup_contains_a_token(
    keys: ApiKeyStore, archive: ApiKeyBackup, storage: ObjectStorage
) -> None:
    key, token = keys.create("acme")
    archive.save(key)
    secret = token.removeprefix(f"amigo_{key.id}_")
    assert secret.encode() not in storage.get(backup_key(key.id))
