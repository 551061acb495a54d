"""A video in segments that can be played while the rest is still being encoded: HLS, RFC 8216."""

import os
import re
from collections.abc import Callable
from itertools import pairwise
from math import ceil
from pathlib import Path
from typing import Self, TypeAlias

import av
from av.container import OutputContainer
from av.stream import Stream

from media.files import written_whole
from media.provenance import Provenance

MASTER, MEDIA, INIT = "index.m3u8", "media.m3u8", "init.mp4"
"""Names of the master playlist, the media playlist and the file that starts every segment."""

AnyPacket: TypeAlias = "av.Packet[Stream]"

PLAYLIST_TYPE, SEGMENT_TYPE = "application/vnd.apple.mpegurl", "video/mp4"

END = "#EXT-X-ENDLIST\n"
"""Last line of a media playlist that does not grow any more."""

_FILE = re.compile(r"^[^#\n]+$", re.MULTILINE)
_DURATION = re.compile(r"(?<=#EXTINF:)[\d.]+")
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
        self._resolution = ""
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
        self._resolution = f"{source.streams.video[0].width}x{source.streams.video[0].height}"
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
        self._write_master()
        self._on_segment()

    def _write_master(self) -> None:
        """Write the multivariant playlist. FFmpeg's leaves the video out of the bit rate, because
        an encoder of constant quality announces none, and is empty for less than half a second.
        """
        with written_whole(self.folder / MASTER) as partial:
            partial.write_text(
                f"{_BEGIN}#EXT-X-VERSION:7\n"
                f"#EXT-X-STREAM-INF:BANDWIDTH={_peak_bit_rate(self.folder)},"
                f'RESOLUTION={self._resolution},CODECS="{_codecs(self.folder)}"\n{MEDIA}\n'
            )


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


def _peak_bit_rate(folder: Path) -> int:
    """Return the peak segment bit rate so far in bits per second, rounded up: that of any run of
    segments that lasts 0.5 to 1.5 times the target duration (RFC 8216, 4.3.4.2). The first of our
    segments begins with a key frame, so it is representative of those to come.
    """
    playlist = (folder / MEDIA).read_text()
    sizes = [(folder / name).stat().st_size for name in listed_segments(playlist)]
    segments = list(zip(sizes, map(float, _DURATION.findall(playlist)), strict=True))
    pairs = [(a + b, seconds + more) for (a, seconds), (b, more) in pairwise(segments)]
    runs = [run for run in (*segments, *pairs) if 0.5 <= run[1] / SEGMENT_SECONDS <= 1.5]
    return max(ceil(8 * size / seconds) for size, seconds in runs or segments)


def _codecs(folder: Path) -> str:
    """Return the codecs as RFC 6381 names them: H.264 with its profile and level, AAC-LC."""
    _, _, configuration = (folder / INIT).read_bytes().partition(b"avcC")
    return f"avc1.{configuration[1:4].hex()},mp4a.40.2"
