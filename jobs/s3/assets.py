"""Files that callers upload straight into the object store, for use in later jobs.

assets/{tenant}/{id}/asset.json    the registered asset
assets/{tenant}/{id}/{kind}        the file, once it is uploaded
"""

from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from itertools import groupby

from jobs.assets import ASSETS_PREFIX, KEPT, Asset, AssetKind, asset_prefix
from jobs.errors import AssetNotFound, AssetNotUploaded, ObjectNotFound
from jobs.s3.object_store import ObjectStorage, PresignedPut
from jobs.values import utc_now

UPLOAD_SECONDS = 3600
"""How long after its registration the upload may start."""


def record_key(tenant: str, asset_id: str) -> str:
    """Return the object key of the registered asset, stored as JSON."""
    return f"{asset_prefix(tenant, asset_id)}asset.json"


class Assets:
    """The assets in an object store. Every method may raise StorageUnavailable."""

    def __init__(self, storage: ObjectStorage) -> None:
        self._storage = storage

    def register(self, asset: Asset) -> PresignedPut:
        """Record an asset and return the request that uploads it, valid only for its exact size and
        type.
        """
        record = asset.model_dump_json().encode()
        self._storage.put(record_key(asset.tenant, asset.id), record, "application/json")
        return self._storage.presigned_put(
            asset.key, asset.size, asset.content_type, UPLOAD_SECONDS
        )

    def find(self, tenant: str, asset_id: str, kind: AssetKind) -> Asset:
        """Return a tenant's asset of the given kind, uploaded or not.

        Raises:
            AssetNotFound: the tenant has no asset of this id and kind, or it has expired.
        """
        if _is_id(asset_id):
            with suppress(ObjectNotFound):
                record = self._storage.get(record_key(tenant, asset_id))
                asset = Asset.read(record)
                if asset.kind is kind and asset.expires_at > utc_now():
                    return asset
        raise AssetNotFound(f"There is no {kind} asset with the id {asset_id[:60]!r}.")

    def read(self, tenant: str, asset_id: str, kind: AssetKind) -> bytes:
        """Return the file of a tenant's asset.

        Check and store the returned bytes only: the caller can replace the upload at any time.

        Raises:
            AssetNotFound: the tenant has no asset of this id and kind, or it has expired.
            AssetNotUploaded: the asset is registered, but its file has not been uploaded.
        """
        asset = self.find(tenant, asset_id, kind)
        try:
            return self._storage.get(asset.key)
        except ObjectNotFound as error:
            raise AssetNotUploaded(
                f"The file of the asset {asset_id} has not been uploaded."
            ) from error

    def get(self, tenant: str, asset_id: str) -> tuple[Asset, bool]:
        """Return a tenant's asset, and whether its file has been uploaded.

        Raises:
            AssetNotFound: the tenant has no such asset, or it has expired.
        """
        if _is_id(asset_id):
            found = self._read_all(asset_prefix(tenant, asset_id))
            if found:
                return found[0]
        raise AssetNotFound(f"There is no asset with the id {asset_id[:60]!r}.")

    def of_tenant(self, tenant: str) -> list[tuple[Asset, bool]]:
        """Return a tenant's assets, newest first, and whether each file has been uploaded."""
        found = self._read_all(f"{ASSETS_PREFIX}{tenant}/")
        return sorted(found, key=lambda entry: entry[0].created_at, reverse=True)

    def delete(self, asset: Asset) -> None:
        """Delete an asset and its file."""
        self._storage.delete_prefix(asset_prefix(asset.tenant, asset.id))

    def _read_all(self, prefix: str) -> list[tuple[Asset, bool]]:
        keys = {item.key for item in self._storage.objects(prefix)}
        now, found = utc_now(), []
        for key in keys:
            if not key.endswith("/asset.json"):
                continue
            with suppress(ObjectNotFound):  # it was deleted meanwhile
                asset = Asset.read(self._storage.get(key))
                if asset.expires_at > now:
                    found.append((asset, asset.key in keys))
        return found

    def sweep(self, now: datetime, after: str = "") -> Iterator[tuple[str, bool]]:
        """Delete expired assets after a key; yield each asset's last key and whether it expired."""
        items = self._storage.objects(ASSETS_PREFIX, after)
        for prefix, found in groupby(items, lambda item: item.key.rpartition("/")[0] + "/"):
            asset = list(found)
            is_expired = any(item.modified_at < now - KEPT for item in asset)
            if is_expired:
                self._storage.delete_prefix(prefix)
            yield asset[-1].key, is_expired


def _is_id(text: str) -> bool:
    # The id becomes part of an object key, where a slash would change the path.
    return text.isascii() and text.replace("_", "").replace("-", "").isalnum()
