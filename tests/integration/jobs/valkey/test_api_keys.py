"""API keys in a real Valkey: created, verified, expired, revoked."""

from datetime import timedelta

import pytest
from pydantic import SecretStr
from redis import Redis

from jobs.errors import KeyInvalid, KeyNotFound, StoreUnavailable
from jobs.settings import Settings
from jobs.valkey.api_keys import ApiKeyStore, Scope, token_id
from tests.waiting import wait_for


@pytest.fixture
def keys(valkey_url: str) -> ApiKeyStore:
    return ApiKeyStore.connect(Settings(valkey_url=valkey_url))


def is_refused(keys: ApiKeyStore, token: str) -> bool:
    try:
        keys.verify(token)
    except KeyInvalid:
        return True
    return False


def test_a_key_is_identified_by_its_token(keys: ApiKeyStore, valkey_url: str) -> None:
    scopes = frozenset({Scope.JOBS_READ})
    key, token = keys.create("acme", name="web", scopes=scopes)
    assert keys.verify(token) == key
    assert (key.tenant, key.name, key.scopes) == ("acme", "web", scopes)
    secret = token.rpartition(f"amigo_{key.id}_")[2]
    with Redis.from_url(valkey_url, decode_responses=True) as client:
        kept = str(client.hgetall("amigo:keys"))
    assert key.id in kept
    assert secret not in kept


def test_a_wrong_secret_with_the_right_id_is_rejected(keys: ApiKeyStore) -> None:
    _, token = keys.create("acme")
    _, other = keys.create("acme")
    swapped = f"amigo_{token_id(token)}_{other.removeprefix(f'amigo_{token_id(other)}_')}"
    changed = token[:-1] + ("A" if token[-1] != "A" else "B")
    for forged in (swapped, changed):
        with pytest.raises(KeyInvalid, match=r"^The API key is unknown\.$"):
            keys.verify(forged)


def test_an_unknown_key_is_rejected_like_a_wrong_secret(keys: ApiKeyStore) -> None:
    with pytest.raises(KeyInvalid, match=r"^The API key is unknown\.$"):
        keys.verify(f"amigo_{'0' * 16}_{'a' * 43}")


def test_digests_are_compared_in_constant_time_for_known_and_unknown_ids_alike(
    keys: ApiKeyStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    compared: list[tuple[str, str]] = []

    def compare(kept: str, given: str) -> bool:
        compared.append((kept, given))
        return kept == given

    monkeypatch.setattr("jobs.valkey.api_keys.hmac.compare_digest", compare)
    key, token = keys.create("acme")
    keys.verify(token)
    assert is_refused(keys, f"amigo_{key.id}_{'a' * 43}")
    assert is_refused(keys, f"amigo_{'0' * 16}_{'a' * 43}")
    assert [len(text) for pair in compared for text in pair] == [64] * 6


def test_a_key_expires_by_the_stores_clock(keys: ApiKeyStore) -> None:
    _, token = keys.create("acme", lifetime=timedelta(seconds=0.2))
    wait_for(lambda: is_refused(keys, token))
    with pytest.raises(KeyInvalid, match="expired"):
        keys.verify(token)


def test_a_revoked_key_is_rejected_at_once_everywhere(keys: ApiKeyStore, valkey_url: str) -> None:
    key, token = keys.create("acme")
    _, kept = keys.create("acme")
    elsewhere = ApiKeyStore.connect(Settings(valkey_url=valkey_url))
    elsewhere.verify(token)
    revoked = keys.revoke(key.id)
    with pytest.raises(KeyInvalid, match="revoked"):
        elsewhere.verify(token)
    assert keys.revoke(key.id) == revoked
    elsewhere.verify(kept)


def test_an_unknown_key_cannot_be_revoked(keys: ApiKeyStore) -> None:
    with pytest.raises(KeyNotFound, match="nothing"):
        keys.revoke("nothing")


def test_restoring_never_replaces_an_existing_key(keys: ApiKeyStore) -> None:
    key, token = keys.create("acme")
    keys.revoke(key.id)
    assert not keys.restore(key)
    assert is_refused(keys, token)


def test_another_secret_invalidates_every_token(keys: ApiKeyStore, valkey_url: str) -> None:
    _, token = keys.create("acme")
    settings = Settings(valkey_url=valkey_url, key_secret=SecretStr("another secret of ours"))
    assert is_refused(ApiKeyStore.connect(settings), token)


def test_all_keys_are_listed_oldest_first(keys: ApiKeyStore) -> None:
    made = [keys.create(tenant)[0] for tenant in ("a", "b", "c")]
    assert keys.all() == made


def test_without_the_store_keys_cannot_be_verified() -> None:
    keys = ApiKeyStore.connect(Settings(valkey_url="redis://127.0.0.1:1/0"))
    with pytest.raises(StoreUnavailable):
        keys.verify(f"amigo_{'0' * 16}_{'a' * 43}")
