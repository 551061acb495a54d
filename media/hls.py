"""A video in segments that can be played while the rest is still being encoded: HLS, RFC 8216."""

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Self, TypeAlias

import av
from av.container import OutputContainer
from av.stream import Stream

from media.provenance import Provenance

MASTER, MEDIA, INIT = "index.m3u8", "media.m3u8", "init.mp4"
"""Names of the master playlist, the media playlist and the file that starts every segment."""

AnyPacket: TypeAlias = "av.Packet[Stream]"

PLAYLIST_TYPE, SEGMENT_TYPE = "application/vnd.apple.mpegurl", "video/mp4"

END = "#EXT-X-ENDLIST\n"
"""Last line of a media playlist that does not grow any more."""

_FILE = re.compile(r"^[^#\n]+$", re.MULTILINE)
_URI = re.compile(r'(?<=URI=")[^"]+')
SEGMENT_SECONDS = 1
_BEGIN = "#EXTM3U\n"
_FROM_THE_START = "#EXT-X-START:TIME-OFFSET=0\n"


class SegmentedVideo:
    """The packets of one encoder in fragmented MP4 segments, with their playlists, in a folder.

    A segment need not begin with a key frame, because the packets are those of the video file: they
    are encoded once. A segment is complete some frames after its last, as the encoder looks ahead.

    Args:
        folder: where the files are written.
        on_segment: called when a further segment is complete and listed in the playlist.
    """

    def __init__(self, folder: Path, on_segment: Callable[[], None] = lambda: None) -> None:
        self.folder = folder
        self._on_segment = on_segment
        self._listed = 0
        self._container: OutputContainer | None = None
        self._streams: dict[int, Stream] = {}
        self._descriptor: int | None = None
        self._provenance: Provenance | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop, and report no further segment; harmless after `finish`."""
        if self._container is not None:
            self._container.close()
            self._container = None
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def start(self, source: OutputContainer, provenance: Provenance | None) -> None:
        """Begin with the streams of another container, whose encoders are open."""
        self._provenance = provenance
        folder = self._plain_folder()
        self._container = av.open(
            folder / MEDIA,
            "w",
            format="hls",
            options={
                "hls_time": str(SEGMENT_SECONDS),
                "hls_playlist_type": "event",
                "hls_flags": "split_by_time+temp_file",
                "hls_segment_type": "fmp4",
                "hls_segment_filename": f"{folder}/%05d.m4s",
                "hls_fmp4_init_filename": INIT,
                "master_pl_name": MASTER,
                "fflags": "+bitexact",
            },
        )
        self._container.metadata.update(provenance.tags if provenance else {})
        self._streams = {
            stream.index: self._container.add_stream_from_template(stream)
            for stream in source.streams.get()
        }

    def _plain_folder(self) -> Path:
        """Return a path of the folder for FFmpeg, which takes `%d` in it for a pattern and knows no
        way to escape it in all places.
        """
        if "%" not in str(self.folder):
            return self.folder
        self._descriptor = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY)
        return Path(f"/proc/self/fd/{self._descriptor}")

    def write(self, packet: AnyPacket) -> None:
        """Add a copy of the packet."""
        if self._container is None:
            raise ValueError("The segments have not been started, or are finished.")
        self._container.mux_one(_copy(packet, self._streams[packet.stream.index]))
        self._report()

    def finish(self) -> None:
        """Write the last segment and end the playlist."""
        self.close()
        self._report()

    def _report(self) -> None:
        path = self.folder / MEDIA
        listed = path.stat().st_size if path.exists() else 0
        if listed == self._listed:
            return
        if not self._listed and self._provenance:
            self._provenance.append_to(self.folder / INIT)
        self._listed = listed
        self._on_segment()


def media_playlist(folder: Path) -> str:
    """Return the media playlist as players should get it: they begin at its first segment."""
    return (folder / MEDIA).read_text().replace(_BEGIN, _BEGIN + _FROM_THE_START, 1)


def listed_segments(playlist: str) -> list[str]:
    """Return the names of the segments in a media playlist, in order."""
    return [line for line in playlist.splitlines() if line and not line.startswith("#")]


def ended(playlist: str) -> str:
    """Return the media playlist with its last line, so that no player waits for more."""
    return playlist if playlist.endswith(END) else playlist + END


def with_query(playlist: str, query: str) -> str:
    """Return a playlist with a query, such as `token=…`, in the URL of each of its files."""
    tagged = _URI.sub(rf"\g<0>?{query}", playlist)
    return _FILE.sub(rf"\g<0>?{query}", tagged)


def _copy(packet: AnyPacket, stream: Stream) -> AnyPacket:
    copy: AnyPacket = av.Packet(bytes(packet))
    copy.pts, copy.dts, copy.duration = packet.pts, packet.dts, packet.duration
    copy.time_base, copy.is_keyframe, copy.stream = packet.time_base, packet.is_keyframe, stream
    return copy
