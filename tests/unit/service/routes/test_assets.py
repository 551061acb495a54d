from typing import Any

import pytest
from starlette.testclient import TestClient

from jobs.assets import AssetKind
from jobs.s3.assets import Assets
from service.problems import ProblemType
from tests.fakes.backstage import Backstage
from tests.unit.service.assertions import assert_problem

PORTRAIT = {"kind": "portrait", "size": 1000, "content_type": "image/jpeg"}


def test_an_asset_is_registered(http: TestClient, backstage: Backstage) -> None:
    response = http.post("/v1/assets", json=PORTRAIT)
    assert response.status_code == 201
    asset = response.json()
    assert (asset["kind"], asset["upload"]["method"]) == ("portrait", "PUT")
    assert asset["upload"]["headers"] == {"Content-Length": "1000", "Content-Type": "image/jpeg"}
    assert f"assets/local/{asset['id']}/portrait" in asset["upload"]["url"]
    found = Assets(backstage.storage).find("local", asset["id"], AssetKind.PORTRAIT)
    assert asset["expires_at"] == found.expires_at.isoformat().replace("+00:00", "Z")


@pytest.mark.parametrize(
    "content_type",
    ["audio/webm;codecs=opus", 'audio/ogg; codecs="opus"', "audio/L16;rate=16000;channels=1"],
)
def test_a_content_type_may_have_parameters(http: TestClient, content_type: str) -> None:
    wanted = {"kind": "audio", "size": 1000, "content_type": content_type}
    upload = http.post("/v1/assets", json=wanted).json()["upload"]
    assert upload["headers"]["Content-Type"] == content_type


def test_assets_are_listed_read_and_deleted(http: TestClient, backstage: Backstage) -> None:
    first, second = (http.post("/v1/assets", json=PORTRAIT).json() for _ in range(2))
    backstage.storage.contents[f"assets/local/{first['id']}/portrait"] = b"picture"
    backstage.storage.contents["assets/other/asset_x/asset.json"] = b"not read"
    listed = http.get("/v1/assets").json()["assets"]
    assert [each["id"] for each in listed] == [second["id"], first["id"]]
    assert [each["is_uploaded"] for each in listed] == [False, True]
    path = f"/v1/assets/{first['id']}"
    read = http.get(path).json()
    assert (read["size"], read["content_type"], read["upload"]) == (1000, "image/jpeg", None)
    assert http.delete(path).status_code == 204
    assert backstage.asset_quota.taken == [second["id"]]
    for response in (http.get(path), http.delete(path), http.get("/v1/assets/..")):
        assert response.status_code == 404
    assert_problem(http.get(path), ProblemType.ASSET_NOT_FOUND)


@pytest.mark.parametrize(("kind", "max_bytes"), [("portrait", 100_000), ("audio", 200_000)])
def test_a_file_larger_than_a_job_s_is_refused(http: TestClient, kind: str, max_bytes: int) -> None:
    wanted = {**PORTRAIT, "kind": kind}
    assert http.post("/v1/assets", json={**wanted, "size": max_bytes}).status_code == 201
    response = http.post("/v1/assets", json={**wanted, "size": max_bytes + 1})
    assert_problem(response, ProblemType.with_code(f"{kind}_too_large"), str(max_bytes))


@pytest.mark.parametrize(
    "change",
    [
        {"kind": "video"},
        {"size": 0},
        {"size": -1},
        {"size": "many"},
        {"content_type": "picture"},
        {"content_type": "image/png\r\nX-Evil: 1"},
        {"content_type": "image/" + "a" * 100},
        {"key": "jobs/other"},
    ],
)
def test_an_invalid_asset_is_rejected(http: TestClient, change: dict[str, Any]) -> None:
    response = http.post("/v1/assets", json={**PORTRAIT, **change})
    assert_problem(response, ProblemType.INVALID_REQUEST)


def test_without_the_object_store_no_asset_is_registered(
    http: TestClient, backstage: Backstage
) -> None:
    backstage.storage.is_down = True
    assert_problem(http.post("/v1/assets", json=PORTRAIT), ProblemType.STORAGE_UNAVAILABLE)
    assert not backstage.asset_quota.taken


def test_an_asset_beyond_the_quota_is_rejected_and_leaves_nothing(
    http: TestClient, backstage: Backstage
) -> None:
    backstage.asset_quota.is_used_up = True
    response = http.post("/v1/assets", json=PORTRAIT)
    assert_problem(response, ProblemType.ASSET_QUOTA_EXCEEDED, "900 bytes", "1000")
    assert response.headers["retry-after"] == "3600"
    assert not backstage.storage.contents


def test_an_asset_is_only_deleted_in_the_version_in_if_match(
    http: TestClient, backstage: Backstage
) -> None:
    asset = http.post("/v1/assets", json=PORTRAIT).json()
    path = f"/v1/assets/{asset['id']}"
    tag = http.get(path).headers["etag"]
    backstage.storage.contents[f"assets/local/{asset['id']}/portrait"] = b"picture"
    refused = http.delete(path, headers={"If-Match": tag})
    assert_problem(refused, ProblemType.PRECONDITION_FAILED)
    assert refused.headers["etag"] == http.get(path).headers["etag"] != tag
    headers = {"If-Match": refused.headers["etag"]}
    assert http.delete(path, headers=headers).status_code == 204
