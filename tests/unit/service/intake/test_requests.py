"""Requests: texts in a form, typed values in JSON."""

from typing import Any

import pytest
from starlette.testclient import TestClient

from jobs.urls import UrlRules
from service.intake.requests import read_request
from service.problems import Problem, ProblemType
from tests.unit.service.assertions import assert_problem

INPUTS = {"portrait_asset": "asset_a", "audio_asset": "asset_b", "consent": True}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("seed", "7"),
        ("resolution", "256"),
        ("resolution", 300),
        ("seed", True),
        ("seed", 7.5),
        ("intensity", "1"),
        ("blink", "yes"),
    ],
)
def test_json_values_of_another_type_are_rejected(name: str, value: Any) -> None:
    with pytest.raises(Problem) as refusal:
        read_request({**INPUTS, name: value}, UrlRules())
    assert refusal.value.type is ProblemType.INVALID_OPTION
    assert name in refusal.value.detail


def test_consent_in_json_is_true_and_no_text() -> None:
    with pytest.raises(Problem) as refusal:
        read_request({**INPUTS, "consent": "true"}, UrlRules())
    assert refusal.value.type is ProblemType.CONSENT_REQUIRED


def test_a_whole_number_may_have_a_point() -> None:
    assert read_request({**INPUTS, "seed": 7.0}, UrlRules()).seed == 7


def test_a_form_has_texts_only() -> None:
    form = {**INPUTS, "consent": "on", "seed": "7", "blink": "false", "priority": "low"}
    request = read_request(form, UrlRules(), files=())
    assert (request.seed, request.blink, request.priority) == (7, False, "low")
    assert read_request({**form, "resolution": "256"}, UrlRules(), ()).resolution == 256


@pytest.mark.parametrize("time", ["0.5", "1795348800", "2026-11-22", "2026-11-22T12:00:00"])
def test_a_time_filter_needs_date_hour_and_zone(http: TestClient, time: str) -> None:
    response = http.get("/v1/jobs", params={"created_after": time})
    assert_problem(response, ProblemType.INVALID_REQUEST, "created_after")
