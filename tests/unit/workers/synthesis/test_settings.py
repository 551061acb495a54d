from pathlib import Path

import pytest
from pydantic import ValidationError

from workers.synthesis.settings import WorkerSettings


def test_settings_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AMIGO_DEVICE", "cuda")
    monkeypatch.setenv("AMIGO_RUN_DIRECTORY", "/run/amigo")
    settings = WorkerSettings()
    assert settings.device == "cuda"
    assert settings.run_directory == Path("/run/amigo")


def test_an_unknown_device_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AMIGO_DEVICE", "tpu")
    with pytest.raises(ValidationError, match="'auto', 'cpu' or 'cuda'"):
        WorkerSettings()


def test_every_setting_has_a_description() -> None:
    assert [name for name, f in WorkerSettings.model_fields.items() if not f.description] == []


def test_all_stages_end_before_the_process_is_killed() -> None:
    settings = WorkerSettings()
    by_speech = settings.job_seconds_per_second * settings.audio_max_seconds
    listening = rendering = settings.job_base_seconds + by_speech
    stages = (settings.fetching_seconds, listening, rendering, settings.storing_seconds)
    assert sum(stages) < settings.time_limit_seconds
