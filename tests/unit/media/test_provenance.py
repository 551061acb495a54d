from datetime import UTC, datetime, timedelta, timezone
from importlib.metadata import version
from xml.etree import ElementTree

from media.provenance import SOURCE_TYPE, Provenance

NOON = datetime(2026, 11, 22, 12, 0, 5, tzinfo=UTC)


def properties(provenance: Provenance) -> dict[str, str]:
    """Return an XMP packet's properties, by their names without namespaces."""
    packet = ElementTree.fromstring(provenance.xmp().decode().removeprefix("\ufeff"))
    description = packet.find(".//{http://www.w3.org/1999/02/22-rdf-syntax-ns#}Description")
    assert description is not None
    return {each.tag.partition("}")[2]: "".join(each.itertext()) for each in description}


def test_the_model_is_named_with_its_version_and_its_weights() -> None:
    provenance = Provenance(weights="0a1b2c3d")
    assert provenance.model == f"AMIGO {version('amigo')}+0a1b2c3d"
    assert provenance.model in provenance.sentence


def test_xmp_states_the_same_as_the_sentence() -> None:
    told = properties(Provenance(NOON, "job_a<b"))
    assert told["DigitalSourceType"] == SOURCE_TYPE
    assert told["AISystemUsed"] == "AMIGO"
    assert told["AISystemVersionUsed"] == Provenance().version
    assert told["CreateDate"] == "2026-11-22T12:00:05Z"
    assert told["identifier"] == "job_a<b"
    assert told["description"].startswith("Synthetic media")


def test_unknown_properties_are_left_out() -> None:
    told = properties(Provenance())
    assert not {"CreateDate", "identifier"} & told.keys()
    assert Provenance().tags.keys() == {"title", "comment"}


def test_times_are_in_utc() -> None:
    elsewhere = NOON.astimezone(timezone(timedelta(hours=9)))
    assert Provenance(elsewhere).tags["creation_time"] == "2026-11-22T12:00:05Z"


def test_now_is_now() -> None:
    before = datetime.now(UTC)
    made = Provenance.now("job_a")
    assert made.created_at is not None
    assert before <= made.created_at <= datetime.now(UTC)
    assert made.job_id == "job_a"
