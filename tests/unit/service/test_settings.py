import pytest

from service.settings import ServiceSettings


def test_the_body_has_room_for_both_files_and_the_options() -> None:
    settings = ServiceSettings(portrait_max_bytes=20_000_000, audio_max_bytes=50_000_000)
    assert settings.body_max_bytes == 71_000_000


def test_a_kubernetes_service_of_our_name_does_not_disturb(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AMIGO_PORT", "tcp://10.0.0.1:80")
    monkeypatch.setenv("AMIGO_SERVICE_HOST", "10.0.0.1")
    assert ServiceSettings().listen_port == 8000


def test_no_secret_is_in_what_is_printed() -> None:
    settings = ServiceSettings(s3_secret_key="hidden")
    assert "hidden" not in repr(settings)
