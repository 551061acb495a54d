"""Files that callers upload ahead of their jobs, straight into the object store.

assets/{tenant}/{id}/asset.json      the asset as it was announced
assets/{tenant}/{id}/{kind}          the file, once it is uploaded
"""

import secrets
from contextlib import suppress
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Self

from pydantic import Field

from jobs.errors import AssetNotFound, AssetNotUploaded, ObjectNotFound
from jobs.job import Value, utc_now
from jobs.s3.object_store import ObjectStorage, PresignedPut

ASSETS_PREFIX = "assets/"

KEPT = timedelta(hours=24)
"""How long an asset can be used for jobs, from its announcement on."""

UPLOAD_SECONDS = 3600
"""How long its upload may begin, from the announcement on."""


class AssetKind(StrEnum):
    """What an asset can be used as."""

    PORTRAIT = "portrait"
    AUDIO = "audio"


class Asset(Value):
    """A file that its caller announced, uploaded or not."""

    id: str
    tenant: str
    kind: AssetKind
    size: int = Field(gt=0, description="Bytes.")
    content_type: str
    created_at: datetime

    @classmethod
    def create(cls, tenant: str, kind: AssetKind, size: int, content_type: str) -> Self:
        """Return a new asset with an id nobody can guess."""
        return cls(
            id=f"asset_{secrets.token_urlsafe(16)}",
            tenant=tenant,
            kind=kind,
            size=size,
            content_type=content_type,
            created_at=utc_now(),
        )

    @property
    def key(self) -> str:
        """The key of the file."""
        return asset_key(self.tenant, self.id, self.kind)

    @property
    def expires_at(self) -> datetime:
        """When it can no longer be used; it is deleted soon after."""
        return self.created_at + KEPT


def asset_prefix(tenant: str, asset_id: str) -> str:
    """Return the prefix of all that is kept of an asset."""
    return f"{ASSETS_PREFIX}{tenant}/{asset_id}/"


def asset_key(tenant: str, asset_id: str, kind: AssetKind) -> str:
    """Return the key under which an asset's file is uploaded."""
    return f"{asset_prefix(tenant, asset_id)}{kind}"


def record_key(tenant: str, asset_id: str) -> str:
    """Return the key of the asset as it was announced, as JSON."""
    return f"{asset_prefix(tenant, asset_id)}asset.json"


class Assets:
    """The assets in an object store; every method may raise StorageUnavailable."""

    def __init__(self, storage: ObjectStorage) -> None:
        self._storage = storage

    def announce(self, asset: Asset) -> PresignedPut:
        """Record an asset; return the one request that uploads it, of just its size and type."""
        record = asset.model_dump_json().encode()
        self._storage.put(record_key(asset.tenant, asset.id), record, "application/json")
        return self._storage.presigned_put(
            asset.key, asset.size, asset.content_type, UPLOAD_SECONDS
        )

    def find(self, tenant: str, asset_id: str, kind: AssetKind) -> Asset:
        """Return a tenant's asset of one kind, uploaded or not.

        Raises:
            AssetNotFound: the tenant has none of this id and kind, or it has expired.
        """
        if _is_id(asset_id):
            with suppress(ObjectNotFound):
                record = self._storage.get(record_key(tenant, asset_id))
                asset = Asset.model_validate_json(record)
                if asset.kind is kind and asset.expires_at > utc_now():
                    return asset
        raise AssetNotFound(f"There is no {kind} with the asset id {asset_id[:60]!r}.")

    def read(self, tenant: str, asset_id: str, kind: AssetKind) -> bytes:
        """Return the file of a tenant's asset.

        What was read is what may be checked and kept: the caller can upload another meanwhile.

        Raises:
            AssetNotFound: the tenant has none of this id and kind, or it has expired.
            AssetNotUploaded: it was announced, but there is no file yet.
        """
        asset = self.find(tenant, asset_id, kind)
        try:
            return self._storage.get(asset.key)
        except ObjectNotFound as error:
            raise AssetNotUploaded(
                f"The asset {asset_id} was announced, but its file is not uploaded."
            ) from error

    def sweep(self, now: datetime) -> int:
        """Delete the assets that have expired; return how many."""
        expired = [
            item.key
            for item in self._storage.objects(ASSETS_PREFIX)
            if item.modified_at < now - KEPT
        ]
        prefixes = {key.rpartition("/")[0] + "/" for key in expired}
        for prefix in prefixes:
            self._storage.delete_prefix(prefix)
        return len(prefixes)


def _is_id(text: str) -> bool:
    # It becomes part of a key, where a slash would lead elsewhere.
    return text.isascii() and text.replace("_", "").replace("-", "").isalnum()
