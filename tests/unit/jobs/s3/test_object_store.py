from typing import Any

import pytest
from botocore.stub import Stubber

from jobs.s3 import paths
from jobs.s3.object_store import ObjectStorage
from jobs.settings import Settings


def test_every_key_of_a_job_has_its_prefix() -> None:
    keys = [
        paths.portrait_key("job_a"),
        paths.audio_key("job_a"),
        paths.request_key("job_a"),
        paths.video_key("job_a", 1),
        paths.poster_key("job_a", 1),
        paths.landmarks_key("job_a", 1),
    ]
    assert len(set(keys)) == len(keys)
    assert all(key.startswith(paths.job_prefix("job_a")) for key in keys)


def test_inputs_and_results_have_separate_prefixes() -> None:
    inputs = paths.inputs_prefix("job_a")
    assert paths.request_key("job_a").startswith(inputs)
    for key in (paths.video_key, paths.poster_key, paths.landmarks_key):
        assert not key("job_a", 1).startswith(inputs)
        assert key("job_a", 1).startswith(paths.attempt_prefix("job_a", 1))


def test_attempts_do_not_share_a_prefix() -> None:
    assert not paths.video_key("job_a", 11).startswith(paths.attempt_prefix("job_a", 1))


def test_the_job_id_is_read_from_every_key() -> None:
    assert paths.job_of(paths.request_key("job_a")) == "job_a"
    assert paths.job_of(paths.video_key("job_a", 1)) == "job_a"


def test_a_prefix_that_could_match_other_jobs_is_not_deleted() -> None:
    with pytest.raises(ValueError, match="other jobs"):
        ObjectStorage.connect(Settings()).delete_prefix("jobs/job_a")


def test_a_presigned_url_leads_to_the_public_endpoint() -> None:
    settings = Settings(s3_public_endpoint_url="https://media.example.org")
    url = ObjectStorage.connect(settings).presigned_url("jobs/job_a/video.mp4", 60)
    assert url.startswith("https://media.example.org/amigo/jobs/job_a/video.mp4?")
    assert "X-Amz-Expires=60" in url


def test_on_aws_the_bucket_is_named_by_the_host() -> None:
    settings = Settings(
        s3_endpoint_url="https://s3.eu-central-1.amazonaws.com",
        s3_region="eu-central-1",
        s3_bucket="faces",
        s3_addressing="virtual",
    )
    url = ObjectStorage.connect(settings).presigned_url("jobs/job_a/video.mp4", 60)
    assert url.startswith("https://faces.s3.eu-central-1.amazonaws.com/jobs/job_a/video.mp4?")


def test_prefixes_are_listed_in_pages_without_the_one_they_come_after() -> None:
    storage = ObjectStorage.connect(Settings(s3_bucket="faces"))
    asked = {"Bucket": "faces", "Prefix": "jobs/", "Delimiter": "/", "StartAfter": "jobs/b/"}
    # AWS lists "jobs/b/" once more, because its objects come after it.
    first = {**listed("b"), "IsTruncated": True, "NextContinuationToken": "one"}
    second = {**listed("c", "d"), "IsTruncated": True, "NextContinuationToken": "two"}
    with Stubber(storage._client) as s3:
        s3.add_response("list_objects_v2", first, asked)
        s3.add_response("list_objects_v2", second, {**asked, "ContinuationToken": "one"})
        s3.add_response("list_objects_v2", listed("e"), {**asked, "ContinuationToken": "two"})
        found = list(storage.prefixes("jobs/", after="jobs/b/"))
    assert found == [["jobs/c/", "jobs/d/"], ["jobs/e/"]]


def listed(*names: str) -> dict[str, Any]:
    return {"CommonPrefixes": [{"Prefix": f"jobs/{name}/"} for name in names]}
