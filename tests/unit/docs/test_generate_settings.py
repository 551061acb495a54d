import pytest

from docs.generate_settings import PAGE, PROCESSES, page, unit_of
from jobs.settings import Settings, SigningSettings

COUNTS = {"concurrent_submissions", "torch_threads"}


def test_the_settings_page_is_up_to_date() -> None:
    assert PAGE.read_text() == page(), "`make docs` writes it again."


@pytest.mark.parametrize("settings", [settings for _, _, settings in PROCESSES])
def test_every_setting_has_a_description_and_every_number_a_unit(settings: type[Settings]) -> None:
    for name, field in settings.model_fields.items():
        assert field.description, name
        if field.annotation in (int, float):
            assert unit_of(name) or name.endswith("_port") or name in COUNTS, name


def test_no_two_processes_own_a_setting_of_the_same_name_and_another_meaning() -> None:
    owners: dict[str, list[str]] = {}
    for title, _, settings in PROCESSES[2:]:
        for name in settings.model_fields.keys() - SigningSettings.model_fields.keys():
            owners.setdefault(name, []).append(title)
    assert {name for name, titles in owners.items() if len(titles) > 1} == {"shutdown_seconds"}
