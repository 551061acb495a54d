import re
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from media.errors import AudioError, MediaError, PortraitError
from service.problems import ProblemType

DOCUMENT = Path(__file__).parents[3] / "docs" / "problems.md"


def told_in(section: str) -> dict[str, tuple[str, ...]]:
    """Return the rows of a section's table by their code."""
    text = DOCUMENT.read_text().split(f"## {section}\n")[1].split("\n## ")[0]
    rows = re.findall(r"^\| `(\w+)` \|(.+)\|$", text, re.MULTILINE)
    return {code: tuple(cell.strip() for cell in rest.split("|")) for code, rest in rows}


def media_errors(family: type[MediaError]) -> set[type[MediaError]]:
    return set(family.__subclasses__())


def test_the_document_lists_every_problem_with_its_status_and_title() -> None:
    told = {code: (int(status), title) for code, (status, title) in told_in("Problems").items()}
    assert told == {each.code: each.value for each in ProblemType}


def test_every_reason_against_a_file_is_a_problem_or_a_documented_failure() -> None:
    known = {each.code for each in ProblemType} | told_in("Failures").keys()
    errors = media_errors(PortraitError) | media_errors(AudioError)
    assert {error.code for error in errors} <= known


@pytest.mark.parametrize("problem_type", ProblemType)
def test_the_type_of_a_problem_leads_to_its_description(
    http: TestClient, problem_type: ProblemType
) -> None:
    assert http.get(f"/problems/{problem_type.code}").json() == {
        "code": problem_type.code,
        "status": problem_type.status,
        "title": problem_type.title,
    }


def test_all_kinds_of_problems_are_listed(http: TestClient) -> None:
    listed = [each["code"] for each in http.get("/problems").json()]
    assert listed == [each.code for each in ProblemType]


def test_an_unknown_problem_code_is_not_found(http: TestClient) -> None:
    assert http.get("/problems/bad_weather").status_code == 404
