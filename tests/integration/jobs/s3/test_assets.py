from datetime import timedelta

import pytest

from jobs.assets import KEPT, Asset, AssetKind
from jobs.errors import AssetNotFound, AssetNotUploaded
from jobs.s3.assets import Assets
from jobs.s3.object_store import ObjectStorage, PresignedPut
from jobs.values import utc_now
from tests.loopback import loopback

PICTURE = b"a picture"


@pytest.fixture
def assets(storage: ObjectStorage) -> Assets:
    return Assets(storage)


def portrait() -> Asset:
    return Asset.create("acme", AssetKind.PORTRAIT, len(PICTURE), "image/png")


def send(upload: PresignedPut, body: bytes, **headers: str) -> int:
    """Upload and return the status of the response."""
    given = {"Content-Type": upload.headers["Content-Type"], **headers}
    return loopback.put(upload.url, content=body, headers=given).status_code


def test_an_uploaded_asset_can_be_read(assets: Assets) -> None:
    asset = portrait()
    assert send(assets.register(asset), PICTURE) == 200
    assert assets.find("acme", asset.id, AssetKind.PORTRAIT) == asset
    assert assets.read("acme", asset.id, AssetKind.PORTRAIT) == PICTURE


@pytest.mark.parametrize("body", [PICTURE + b"!", PICTURE[:-1], b""])
def test_a_body_of_another_size_is_refused(assets: Assets, body: bytes) -> None:
    asset = portrait()
    assert send(assets.register(asset), body) == 403
    with pytest.raises(AssetNotUploaded):
        assets.read("acme", asset.id, AssetKind.PORTRAIT)


def test_a_body_of_unknown_size_is_refused(assets: Assets) -> None:
    asset = portrait()
    upload = assets.register(asset)
    response = loopback.put(
        upload.url,
        content=iter([PICTURE, b"!"]),  # sent in chunks
        headers={"Content-Type": "image/png"},
    )
    assert response.status_code in (403, 411)
    with pytest.raises(AssetNotUploaded):
        assets.read("acme", asset.id, AssetKind.PORTRAIT)


def test_a_body_of_another_content_type_is_refused(assets: Assets) -> None:
    upload = assets.register(portrait())
    assert send(upload, PICTURE, **{"Content-Type": "text/html"}) == 403


def test_an_upload_url_is_valid_for_its_own_key_only(assets: Assets) -> None:
    mine, other = portrait(), portrait()
    upload = assets.register(mine)
    elsewhere = PresignedPut(upload.url.replace(mine.id, other.id), upload.headers)
    assert send(elsewhere, PICTURE) == 403


def test_an_asset_belongs_to_its_tenant_and_its_kind(assets: Assets) -> None:
    asset = portrait()
    send(assets.register(asset), PICTURE)
    with pytest.raises(AssetNotFound):
        assets.read("other", asset.id, AssetKind.PORTRAIT)
    with pytest.raises(AssetNotFound):
        assets.read("acme", asset.id, AssetKind.AUDIO)


@pytest.mark.parametrize("asset_id", ["asset_none", "", "../local/asset_x", "a/b", "ä"])
def test_an_unknown_asset_id_is_not_found(assets: Assets, asset_id: str) -> None:
    with pytest.raises(AssetNotFound):
        assets.read("acme", asset_id, AssetKind.PORTRAIT)


def test_an_asset_expires_after_a_day(assets: Assets) -> None:
    old = portrait().model_copy(update={"created_at": utc_now() - KEPT})
    assert send(assets.register(old), PICTURE) == 200
    with pytest.raises(AssetNotFound):
        assets.read("acme", old.id, AssetKind.PORTRAIT)


def test_only_expired_assets_are_swept(assets: Assets, storage: ObjectStorage) -> None:
    asset = portrait()
    send(assets.register(asset), PICTURE)
    announced_only = portrait()
    assets.register(announced_only)
    assert [is_expired for _, is_expired in assets.sweep(utc_now())] == [False, False]
    assert assets.read("acme", asset.id, AssetKind.PORTRAIT) == PICTURE
    later = utc_now() + KEPT + timedelta(minutes=1)
    assert [is_expired for _, is_expired in assets.sweep(later)] == [True, True]
    assert list(storage.objects("assets/")) == []


def test_a_sweep_continues_after_the_key_it_has_reached(assets: Assets) -> None:
    for _ in range(3):
        assets.register(portrait())
    now = utc_now()
    first, *others = assets.sweep(now)
    assert list(assets.sweep(now, after=first[0])) == others
