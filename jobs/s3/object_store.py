"""An S3 bucket: objects are written, read, listed, deleted, and given to others by URL."""

from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from hashlib import md5
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import boto3
from boto3.exceptions import Boto3Error
from boto3.s3.transfer import TransferConfig
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from jobs.errors import ObjectNotFound, StorageUnavailable
from jobs.metrics import StorageMetrics
from jobs.s3.paths import job_of, request_key
from jobs.settings import Settings

if TYPE_CHECKING:
    from botocore.paginate import PageIterator
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import ListObjectsV2OutputTypeDef

CHUNK_SIZE = 256 * 1024
"""Chunk size for reading from the object store, in bytes."""

UNKNOWN_TYPE = "application/octet-stream"
"""Content type of an object whose sender named none that can be trusted."""

MAX_DELETED = 1000
"""Objects that one DeleteObjects request may name, by the S3 API."""

PROBE = "probe"
"""Key of the object that a probe writes and deletes."""

PROBE_TIMEOUT = 3
"""Response timeout of a probe's requests, in seconds."""

_MISSING = {"404", "NoSuchKey", "NotFound"}


@dataclass(frozen=True)
class StoredObject:
    """An object in a listing."""

    key: str
    size: int
    modified_at: datetime


@dataclass(frozen=True)
class PresignedPut:
    """A presigned request to upload one object; the signature covers the headers."""

    url: str
    headers: dict[str, str]
    method: str = "PUT"


class ObjectStorage:
    """An S3 bucket. Every method may raise StorageUnavailable. Safe to share between threads."""

    def __init__(
        self,
        client: "S3Client",
        probe_client: "S3Client",
        bucket: str,
        public_client: "S3Client | None" = None,
    ) -> None:
        self._client = client
        self._probe_client = probe_client
        self._bucket = bucket
        self._public_client = public_client or client
        self.is_public = public_client is not None

    @classmethod
    def connect(cls, settings: Settings) -> Self:
        """Return the storage given by the settings, without connecting."""
        public_url = settings.s3_public_endpoint_url
        return cls(
            _create_client(settings, settings.s3_endpoint_url),
            _create_client(settings, settings.s3_endpoint_url, PROBE_TIMEOUT, attempts=1),
            settings.s3_bucket,
            _create_client(settings, public_url) if public_url else None,
        )

    def measure(self, metrics: StorageMetrics) -> None:
        """Observe all requests to the object store from now on."""
        metrics.watch(self._client)
        metrics.watch(self._probe_client)

    def put(self, key: str, data: bytes | Path, content_type: str) -> None:
        """Store bytes or a file under a key, replacing an existing object."""
        with _translated_errors(key):
            if isinstance(data, Path):
                self._client.upload_file(
                    str(data),
                    self._bucket,
                    key,
                    ExtraArgs={"ContentType": content_type},
                    Config=_TRANSFER,
                )
            else:
                self._client.put_object(
                    Bucket=self._bucket, Key=key, Body=data, ContentType=content_type
                )

    def get(self, key: str) -> bytes:
        """Return the complete object.

        Raises:
            ObjectNotFound: there is no object with this key.
        """
        with _translated_errors(key):
            return self._client.get_object(Bucket=self._bucket, Key=key)["Body"].read()

    def download(self, key: str, path: Path) -> None:
        """Write the object to a file.

        Raises:
            ObjectNotFound: there is no object with this key.
        """
        with _translated_errors(key):
            self._client.download_file(self._bucket, key, str(path), Config=_TRANSFER)

    def size(self, key: str) -> int:
        """Return the object's size in bytes.

        Raises:
            ObjectNotFound: there is no object with this key.
        """
        with _translated_errors(key):
            return self._client.head_object(Bucket=self._bucket, Key=key)["ContentLength"]

    def stream(self, key: str, start: int = 0, end: int | None = None) -> Iterator[bytes]:
        """Return the bytes from `start` to `end` inclusive, as in an HTTP range, in chunks.

        Raises:
            ObjectNotFound: there is no object with this key; raised here, not at the first chunk.
        """
        last = "" if end is None else str(end)
        with _translated_errors(key):
            body = self._client.get_object(
                Bucket=self._bucket, Key=key, Range=f"bytes={start}-{last}"
            )["Body"]

        def chunks() -> Iterator[bytes]:
            with body, _translated_errors(key):
                yield from body.iter_chunks(CHUNK_SIZE)

        return chunks()

    def objects(self, prefix: str, after: str = "") -> Iterator[StoredObject]:
        """Yield all objects under a prefix, in the server's order, from the one after a key."""
        with _translated_errors(prefix):
            for page in self._pages(prefix, after):
                for item in page.get("Contents", []):
                    yield StoredObject(item["Key"], item["Size"], item["LastModified"])

    def prefixes(self, prefix: str, after: str = "") -> Iterator[list[str]]:
        """Yield the prefixes one level below another, such as one per job, after a given one.

        Each list comes from one request and contains up to 1,000, however many objects they have.
        """
        with _translated_errors(prefix):
            for page in self._pages(prefix, after, delimiter="/"):
                found = [item["Prefix"] for item in page.get("CommonPrefixes", [])]
                # The objects below `after` come after it too, so AWS lists it again.
                if left := [each for each in found if each != after]:
                    yield left

    def delete_prefix(self, prefix: str, keep: str | None = None) -> None:
        """Delete all objects under a prefix, except those under `keep`; none is not an error.

        Journal entries go first, because a half-deleted job must not be restored. Folders go last,
        see `delete_folders`.

        Raises:
            StorageUnavailable: some objects were not deleted; all others were.
            ValueError: a prefix does not end with a slash.
        """
        for each in (prefix, keep or prefix):
            if not each.endswith("/"):
                raise ValueError(f"The prefix {each!r} would also match objects of other jobs.")
        refusals: list[str] = []
        with _translated_errors(prefix):
            for page in self._pages(prefix):
                keys = [item["Key"] for item in page.get("Contents", [])]
                keys = [key for key in keys if keep is None or not key.startswith(keep)]
                entries = [key for key in keys if key == request_key(job_of(key))]
                refusals += self._delete(entries)
                others = [key for key in keys if key not in entries]
                refusals += self._delete([*others, *_folders(keys, prefix, keep)])
        if refusals:
            raise StorageUnavailable(f"{len(refusals)} objects were not deleted: {refusals[0]}")

    def delete_folders(self, prefix: str) -> None:
        """Delete the folders of a prefix that has no objects.

        S3 has no folders. Servers on a file system, such as SeaweedFS, keep those of deleted
        objects and list them as prefixes; they delete an empty one like an object.
        """
        for page in self.prefixes(prefix):
            for each in page:
                self.delete_folders(each)
        with _translated_errors(prefix):
            self._delete([prefix])

    def abort_uploads(self, before: datetime) -> int:
        """Abort incomplete multipart uploads started before the given time; return their number."""
        with _translated_errors(self._bucket):
            pages = self._client.get_paginator("list_multipart_uploads")
            begun = [
                upload
                for page in pages.paginate(Bucket=self._bucket)
                for upload in page.get("Uploads", [])
                if upload["Initiated"] < before
            ]
            for upload in begun:
                self._client.abort_multipart_upload(
                    Bucket=self._bucket, Key=upload["Key"], UploadId=upload["UploadId"]
                )
        return len(begun)

    def presigned_url(
        self,
        key: str,
        seconds: int,
        *,
        content_type: str = UNKNOWN_TYPE,
        disposition: str = "attachment",
    ) -> str:
        """Return a URL that lets anyone read the object for the given number of seconds.

        The response has the HTTP headers `content_type` and `disposition`.
        """
        with _translated_errors(key):
            return self._public_client.generate_presigned_url(
                "get_object",
                Params={
                    "Bucket": self._bucket,
                    "Key": key,
                    "ResponseContentType": content_type,
                    "ResponseContentDisposition": disposition,
                },
                ExpiresIn=seconds,
            )

    def presigned_put(self, key: str, size: int, content_type: str, seconds: int) -> PresignedPut:
        """Return the request that lets anyone upload the object within the given number of seconds.

        The signature covers both headers: the object store rejects a body of another size, or a
        request with another content type.
        """
        with _translated_errors(key):
            url = self._public_client.generate_presigned_url(
                "put_object",
                Params={
                    "Bucket": self._bucket,
                    "Key": key,
                    "ContentLength": size,
                    "ContentType": content_type,
                },
                ExpiresIn=seconds,
            )
        return PresignedPut(url, {"Content-Length": str(size), "Content-Type": content_type})

    def ping(self) -> None:
        """Return if the bucket takes writes: an object is written and deleted.

        A server may respond about its buckets while what stores their objects is frozen or full.
        """
        client, bucket = self._probe_client, self._bucket
        try:
            with _translated_errors(bucket):
                # Some servers create a missing bucket for an object.
                client.head_bucket(Bucket=bucket)
                # Not empty: servers may store an empty object without its data's disk.
                client.put_object(Bucket=bucket, Key=PROBE, Body=b"1", ContentType=UNKNOWN_TYPE)
                client.delete_object(Bucket=bucket, Key=PROBE)
        except ObjectNotFound as error:
            raise StorageUnavailable(f"The object store has no bucket {self._bucket}.") from error

    def _pages(
        self, prefix: str, after: str = "", delimiter: str = ""
    ) -> "PageIterator[ListObjectsV2OutputTypeDef]":
        paginator = self._client.get_paginator("list_objects_v2")
        return paginator.paginate(
            Bucket=self._bucket, Prefix=prefix, StartAfter=after, Delimiter=delimiter
        )

    def _delete(self, keys: list[str]) -> list[str]:
        """Delete objects, in this order; return why some were not deleted."""
        refusals = []
        for start in range(0, len(keys), MAX_DELETED):
            batch = keys[start : start + MAX_DELETED]
            response = self._client.delete_objects(
                Bucket=self._bucket,
                Delete={"Objects": [{"Key": key} for key in batch], "Quiet": True},
            )
            refusals += response.get("Errors", [])
        return [f"{refusal.get('Key')}: {refusal.get('Message')}" for refusal in refusals]


def _folders(keys: list[str], prefix: str, keep: str | None) -> list[str]:
    """Return the folders of keys, from a prefix down, innermost first, except those of `keep`."""
    ends = ((key, end + 1) for key in keys for end in range(len(key)) if key[end] == "/")
    folders = {key[:end] for key, end in ends if end >= len(prefix)}
    left = (folder for folder in folders if not (keep or "").startswith(folder))
    return sorted(left, key=len, reverse=True)


def _sign_with_md5(params: dict[str, Any], **_: object) -> None:
    """Protect a DeleteObjects request by its Content-MD5 alone.

    The S3 API demands a checksum of the body. Strict servers accept only this one, and refuse
    botocore's CRC32; it is not used for security.
    """
    digest = md5(params["body"], usedforsecurity=False).digest()
    params["headers"]["Content-MD5"] = b64encode(digest).decode()
    params["context"].get("checksum", {}).pop("request_algorithm", None)


# One thread per transfer: a worker's spare threads belong to the decoder and the encoder.
_TRANSFER = TransferConfig(use_threads=False)


def _create_client(
    settings: Settings, endpoint_url: str, read_timeout: int = 10, attempts: int = 2
) -> "S3Client":
    secret = settings.s3_secret_key.get_secret_value()
    client = boto3.client(
        "s3",
        endpoint_url=endpoint_url,
        region_name=settings.s3_region,
        # None: boto3 looks for the default credentials, such as an IAM role.
        aws_access_key_id=settings.s3_access_key or None,
        aws_secret_access_key=secret if settings.s3_access_key else None,
        config=Config(
            connect_timeout=2,
            read_timeout=read_timeout,
            retries={"mode": "standard", "total_max_attempts": attempts},
            signature_version="s3v4",
            # Bucket names as host names need a DNS entry each, which few S3 servers have.
            s3={"addressing_style": settings.s3_addressing},
            # Many S3 servers do not support the newer default checksum trailers.
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
            max_pool_connections=32,
        ),
    )
    client.meta.events.register("before-call.s3.DeleteObjects", _sign_with_md5)
    return client


@contextmanager
def _translated_errors(key: str) -> Iterator[None]:
    try:
        yield
    except ClientError as error:
        if error.response["Error"]["Code"] in _MISSING:
            raise ObjectNotFound(f"There is no object {key}.") from error
        raise StorageUnavailable(f"The object store rejected {key}: {error}") from error
    except (BotoCoreError, Boto3Error) as error:
        raise StorageUnavailable(f"The object store did not respond: {error}") from error
