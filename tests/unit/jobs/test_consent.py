from pathlib import Path

import pytest
from pydantic import ValidationError
from typer.testing import CliRunner

from amigo.cli import main
from jobs.consent import STATEMENT, STATEMENTS, VERSION, Consent
from jobs.job import Job
from jobs.options import Options
from jobs.values import utc_now
from tests.jobs_examples import new_job

ROOT = Path(__file__).parents[3]


def test_the_words_of_a_version_never_change() -> None:
    assert STATEMENTS["1"] == "I have the right to animate this face and this voice."


def test_the_current_statement_is_the_newest() -> None:
    assert list(STATEMENTS)[-1] == VERSION


@pytest.mark.parametrize("place", ["service/web/lang/en.json", "docs/api.md", "docs/provenance.md"])
def test_the_stored_statement_is_shown_word_for_word(place: str) -> None:
    assert STATEMENT in (ROOT / place).read_text()


def test_the_command_line_shows_the_same_statement() -> None:
    shown = CliRunner().invoke(main.app, ["submit", "--help"], env={"COLUMNS": "200"}).stdout
    assert STATEMENT in shown


def test_a_job_keeps_what_was_affirmed_and_when() -> None:
    before = utc_now()
    consent = new_job().consent
    assert consent is not None
    assert before <= consent.affirmed_at <= utc_now()
    assert (consent.version, consent.statement) == (VERSION, STATEMENT)


def test_an_older_affirmation_keeps_its_statement(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    kept = new_job().model_dump_json()
    monkeypatch.setitem(STATEMENTS, "2", "Something else.")
    monkeypatch.setattr("jobs.consent.VERSION", "2")
    restored = Job.model_validate_json(kept).consent
    assert restored is not None
    assert restored.statement == STATEMENTS["1"]


def test_a_record_without_consent_can_still_be_read() -> None:
    old = new_job().model_dump(mode="json", exclude={"consent"})
    assert Job.model_validate(old).consent is None


def test_there_are_no_options_without_consent() -> None:
    with pytest.raises(ValidationError, match="consent"):
        Options.model_validate({})
    with pytest.raises(ValidationError, match="affirmed_at"):
        Consent.model_validate({"version": "1"})
