"""Backups of the API keys in the object store, in case Valkey loses its data.

keys/{id}.json    an API key as stored in Valkey: the digest of its token, never the token
"""

import logging

from pydantic import ValidationError

from jobs.s3.object_store import ObjectStorage
from jobs.valkey.api_keys import ApiKey, ApiKeyStore

logger = logging.getLogger(__name__)

KEYS_PREFIX = "keys/"


def backup_key(key_id: str) -> str:
    """Return the object key of an API key's backup."""
    return f"{KEYS_PREFIX}{key_id}.json"


class ApiKeyBackup:
    """The backups of all API keys. Every method may raise Unavailable."""

    def __init__(self, keys: ApiKeyStore, storage: ObjectStorage) -> None:
        self._keys = keys
        self._storage = storage

    def save(self, key: ApiKey) -> None:
        """Write an API key's backup, replacing an older one."""
        self._storage.put(backup_key(key.id), key.model_dump_json().encode(), "application/json")

    def reconcile(self) -> int:
        """Restore API keys missing from the store, and back up those that have no backup.

        Returns:
            The number of restored API keys.
        """
        copies = {copy.key: copy.modified_at for copy in self._storage.objects(KEYS_PREFIX)}
        known = {backup_key(key.id): key for key in self._keys.all()}
        for name, key in known.items():
            if name not in copies or (key.revoked_at and copies[name] < key.revoked_at):
                self.save(key)
        return sum(self._restore(name) for name in copies.keys() - known.keys())

    def _restore(self, name: str) -> bool:
        try:
            key = ApiKey.read(self._storage.get(name))
        except ValidationError:
            logger.exception("The backup %s of an API key cannot be read.", name)
            return False
        return self._keys.restore(key)
