"""Assets: files that callers upload in advance, and their object keys."""

import secrets
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Self

from pydantic import Field

from jobs.values import Value, utc_now

ASSETS_PREFIX = "assets/"

KEPT = timedelta(hours=24)
"""How long jobs can refer to an asset after its registration."""


class AssetKind(StrEnum):
    """The input that an asset is for."""

    PORTRAIT = "portrait"
    AUDIO = "audio"


class Asset(Value):
    """A registered file, uploaded or not."""

    id: str
    tenant: str
    kind: AssetKind
    size: int = Field(gt=0, description="Bytes.")
    content_type: str
    created_at: datetime

    @classmethod
    def create(cls, tenant: str, kind: AssetKind, size: int, content_type: str) -> Self:
        """Return a new asset with an unguessable id."""
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
        """The object key of the file."""
        return asset_key(self.tenant, self.id, self.kind)

    @property
    def expires_at(self) -> datetime:
        """Time after which the asset can no longer be used; it is deleted soon after."""
        return self.created_at + KEPT


def asset_prefix(tenant: str, asset_id: str) -> str:
    """Return the prefix of all objects of an asset."""
    return f"{ASSETS_PREFIX}{tenant}/{asset_id}/"


def asset_key(tenant: str, asset_id: str, kind: AssetKind) -> str:
    """Return the object key to which an asset's file is uploaded."""
    return f"{asset_prefix(tenant, asset_id)}{kind}"
