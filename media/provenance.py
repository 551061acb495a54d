"""The provenance statement in generated files: synthetic, by which model, when.

It is written in three forms: a sentence for people, tags for players, and XMP for programs that
read the properties of the International Press Telecommunications Council.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Self
from uuid import UUID
from xml.sax.saxutils import escape

MODEL, VERSION = "AMIGO", version("amigo")
SOURCE_TYPE = "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia"
"""A real picture and a real voice, combined by trained networks."""

_XMP_BOX = UUID("be7acfcb-97a9-42e8-9c71-999491e3afac")
_NAMESPACES = {
    "rdf": "http://www.w3.org/1999/02/22-rdf-syntax-ns#",
    "dc": "http://purl.org/dc/elements/1.1/",
    "xmp": "http://ns.adobe.com/xap/1.0/",
    "Iptc4xmpExt": "http://iptc.org/std/Iptc4xmpExt/2008-02-29/",
}


@dataclass(frozen=True)
class Provenance:
    """The statement of one file.

    created_at: time of creation, with its zone; None to omit it.
    job_id: id of the job; None to omit it.
    weights: digest of the networks' weights; None to omit it.
    """

    created_at: datetime | None = None
    job_id: str | None = None
    weights: str | None = None

    @classmethod
    def now(cls, job_id: str | None = None, *, weights: str | None = None) -> Self:
        """Return the statement of a file created now."""
        return cls(datetime.now(UTC), job_id, weights)

    @property
    def version(self) -> str:
        """The model's version, followed by a plus sign and the digest of its weights."""
        return f"{VERSION}+{self.weights}" if self.weights else VERSION

    @property
    def model(self) -> str:
        """The model's name and version."""
        return f"{MODEL} {self.version}"

    @property
    def sentence(self) -> str:
        """The sentence for people."""
        return f"Synthetic media: this face was animated by {self.model}."

    @property
    def moment(self) -> str | None:
        """Time of creation in UTC, to the second, as ISO 8601."""
        if self.created_at is None:
            return None
        return f"{self.created_at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"

    @property
    def tags(self) -> dict[str, str]:
        """Tags displayed by players, with FFmpeg's names."""
        tags = {"title": "Talking face", "comment": self.sentence}
        if self.moment:
            tags |= {"date": self.moment, "creation_time": self.moment}
        return tags

    def xmp(self) -> bytes:
        """Return an XMP packet (ISO 16684-1) with the IPTC's properties for synthetic media."""
        names = " ".join(f'xmlns:{prefix}="{name}"' for prefix, name in _NAMESPACES.items())
        members = "".join(f"<{name}>{value}</{name}>" for name, value in self._properties())
        return (
            '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>'
            f'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF {names}>'
            f'<rdf:Description rdf:about="">{members}</rdf:Description>'
            '</rdf:RDF></x:xmpmeta><?xpacket end="r"?>'
        ).encode()

    def append_to(self, path: Path) -> None:
        """Append the XMP packet to an MP4, in the box of Adobe's XMP Specification, Part 3."""
        packet = self.xmp()
        size = 4 + 4 + len(_XMP_BOX.bytes) + len(packet)
        with path.open("ab") as file:
            file.write(size.to_bytes(4, "big") + b"uuid" + _XMP_BOX.bytes + packet)

    def _properties(self) -> Iterator[tuple[str, str]]:
        yield "Iptc4xmpExt:DigitalSourceType", SOURCE_TYPE
        yield "Iptc4xmpExt:AISystemUsed", MODEL
        yield "Iptc4xmpExt:AISystemVersionUsed", self.version
        yield "xmp:CreatorTool", self.model
        sentence = f'<rdf:li xml:lang="x-default">{escape(self.sentence)}</rdf:li>'
        yield "dc:description", f"<rdf:Alt>{sentence}</rdf:Alt>"
        if self.moment:
            yield "xmp:CreateDate", self.moment
        if self.job_id:
            yield "dc:identifier", escape(self.job_id)
