from datetime import timedelta

import pytest
from pydantic import SecretStr, ValidationError

from jobs.settings import Settings, read_settings


def test_settings_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AMIGO_S3_BUCKET", "faces")
    monkeypatch.setenv("AMIGO_RETENTION_HOURS", "1.5")
    settings = Settings()
    assert settings.s3_bucket == "faces"
    assert settings.retention == timedelta(minutes=90)


def test_production_refuses_the_development_secret() -> None:
    with pytest.raises(ValidationError, match="AMIGO_S3_SECRET_KEY"):
        Settings(environment="production")
    assert Settings(environment="production", s3_secret_key=SecretStr("mine")).s3_bucket == "amigo"


def test_production_refuses_to_follow_local_urls() -> None:
    with pytest.raises(ValidationError, match="AMIGO_LOCAL_URLS"):
        Settings(environment="production", s3_secret_key=SecretStr("mine"), local_urls=True)
    assert Settings(local_urls=True).url_rules.allow("127.0.0.1")
    assert not Settings().url_rules.allow("127.0.0.1")


def test_a_secret_is_not_shown() -> None:
    assert "mine" not in repr(Settings(s3_secret_key=SecretStr("mine")))


def test_settings_are_frozen() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        Settings().s3_bucket = "other"  # type: ignore[misc]


def test_a_url_with_another_scheme_is_refused() -> None:
    with pytest.raises(ValidationError, match="valkey_url"):
        Settings(valkey_url="http://127.0.0.1")


@pytest.mark.parametrize("scheme", ["sentinel", "redis+sentinel"])
def test_sentinel_is_refused_with_what_to_do_instead(
    scheme: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AMIGO_VALKEY_URL", f"{scheme}://:secret@sentinel:26379/0")
    with pytest.raises(SystemExit, match=r"^AMIGO_VALKEY_URL: Sentinel is not supported; .+\.$"):
        read_settings(Settings)


def test_without_an_access_key_production_needs_no_secret_key_and_accepts_none() -> None:
    assert not Settings(environment="production", s3_access_key="").s3_access_key
    with pytest.raises(ValidationError, match="without AMIGO_S3_ACCESS_KEY"):
        Settings(s3_access_key="", s3_secret_key=SecretStr("mine"))


def test_every_setting_has_a_description() -> None:
    assert all(field.description for field in Settings.model_fields.values())


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("AMIGO_VALKEY_URL", "http://valkey"),
        ("AMIGO_LEASE_SECONDS", "soon"),
        ("AMIGO_ENVIRONMENT", "staging"),
    ],
)
def test_an_invalid_setting_ends_the_process_with_the_name_of_its_variable(
    variable: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(SystemExit, match=f"^{variable}: .+\\.$"):
        read_settings(Settings)
