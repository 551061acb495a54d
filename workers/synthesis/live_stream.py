"""Storing of a video's segments while it is encoded, so that it can be watched meanwhile."""

import logging
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Self

from jobs.errors import StorageUnavailable
from jobs.s3.object_store import ObjectStorage
from media.hls import (
    INIT,
    MASTER,
    MEDIA,
    PLAYLIST_TYPE,
    SEGMENT_TYPE,
    SegmentedVideo,
    listed_segments,
    media_playlist,
)
from workers.synthesis.retry_policy import RetryPolicy

logger = logging.getLogger(__name__)


class LiveStream:
    """Stores each segment as soon as it is complete, and then the playlist that lists it.

    A thread of its own does this, so that a slow object store delays no frame. What it could not
    store it tries again with the next segment; `finish` stores the rest.

    Args:
        segments: the video being encoded.
        prefix: prefix of the keys.
    """

    def __init__(
        self, folder: Path, prefix: str, storage: ObjectStorage, retries: RetryPolicy
    ) -> None:
        self.segments = SegmentedVideo(folder, self._store_soon)
        self._prefix = prefix
        self._storage = storage
        self._retries = retries
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="segments")
        self._stored: list[str] = []
        self._master = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.segments.close()
        self._thread.shutdown(cancel_futures=True)

    def finish(self) -> None:
        """Store the remaining segments and the final playlist.

        Raises:
            StorageUnavailable: the object store did not take it.
        """
        self._thread.shutdown(cancel_futures=True)
        self._retries.call(self._store)

    def _store_soon(self) -> None:
        self._thread.submit(self._try_to_store)

    def _try_to_store(self) -> None:
        try:
            self._store()
        except StorageUnavailable as unavailable:
            logger.warning(
                "A segment under %s was not stored and will be retried with the next one: %s",
                self._prefix,
                unavailable,
            )

    def _store(self) -> None:
        playlist = media_playlist(self.segments.folder)
        for name in (INIT, *listed_segments(playlist)):
            if name not in self._stored:
                self._put(name, (self.segments.folder / name).read_bytes(), SEGMENT_TYPE)
                self._stored.append(name)
        self._put(MEDIA, playlist.encode(), PLAYLIST_TYPE)
        master = (self.segments.folder / MASTER).read_bytes()
        if master != self._master:
            self._put(MASTER, master, PLAYLIST_TYPE)
            self._master = master

    def _put(self, name: str, data: bytes, content_type: str) -> None:
        self._storage.put(self._prefix + name, data, content_type)
