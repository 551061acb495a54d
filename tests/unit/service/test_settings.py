import pytest
from pydantic import SecretStr, ValidationError

from jobs.settings import describe_invalid
from service.__main__ import main
from service.settings import ServiceSettings


def test_the_body_has_room_for_both_files_and_the_options() -> None:
    settings = ServiceSettings(portrait_max_bytes=20_000_000, audio_max_bytes=50_000_000)
    assert settings.body_max_bytes == 71_000_000


def test_a_kubernetes_service_named_amigo_does_not_interfere(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AMIGO_PORT", "tcp://10.0.0.1:80")
    monkeypatch.setenv("AMIGO_SERVICE_HOST", "10.0.0.1")
    assert ServiceSettings().listen_port == 8000


def test_printed_settings_contain_no_secret() -> None:
    settings = ServiceSettings(s3_secret_key="hidden")
    assert "hidden" not in repr(settings)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.0.1", "::1", "localhost"])
def test_an_open_system_listens_on_loopback(host: str) -> None:
    assert ServiceSettings(listen_host=host).authentication == "open"


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "", "10.0.0.1", "amigo.example", "127.0.0.1.x"])
def test_an_open_system_cannot_listen_on_other_addresses(host: str) -> None:
    with pytest.raises(ValidationError, match="AMIGO_AUTHENTICATION=keys"):
        ServiceSettings(listen_host=host)
    assert ServiceSettings(listen_host=host, authentication="keys").listen_host == host


def test_production_refuses_the_development_key_secret() -> None:
    production = {"environment": "production", "s3_secret_key": "mine", "authentication": "keys"}
    production |= {"webhook_secret": f"whsec_{'QUJD' * 8}"}
    with pytest.raises(ValidationError, match="AMIGO_KEY_SECRET"):
        ServiceSettings.model_validate(production)
    ServiceSettings.model_validate({**production, "key_secret": "a secret of our own"})


def test_origins_are_separated_by_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AMIGO_CORS_ORIGINS", "https://a.example, http://localhost:3000 ,")
    assert ServiceSettings().cors_origins == ("https://a.example", "http://localhost:3000")
    monkeypatch.setenv("AMIGO_CORS_ORIGINS", "")
    assert ServiceSettings().cors_origins == ()


@pytest.mark.parametrize("origin", ["a.example", "https://a.example/", "https://*.example"])
def test_an_invalid_origin_is_refused(origin: str) -> None:
    with pytest.raises(ValidationError, match="cors_origins"):
        ServiceSettings(cors_origins=(origin,))


def test_idle_connections_outlive_those_of_common_proxies() -> None:
    seconds_of_a_proxy = 60  # nginx and AWS's load balancers, by default
    assert ServiceSettings().keep_alive_seconds > seconds_of_a_proxy


def test_all_origins_are_allowed_only_with_keys() -> None:
    with pytest.raises(ValidationError, match="AMIGO_CORS_ORIGINS"):
        ServiceSettings(cors_origins=("*",))
    assert ServiceSettings(cors_origins=("*",), authentication="keys").cors_origins == ("*",)


def test_an_invalid_setting_is_reported_without_its_value() -> None:
    with pytest.raises(ValidationError) as refusal:
        ServiceSettings(
            key_secret=SecretStr("too short"), listen_port=70_000, valkey_url="valkey.example.com"
        )
    told = " ".join(describe_invalid(refusal.value))
    assert "AMIGO_VALKEY_URL: Input should be a URL with redis://, rediss:// or unix://." in told
    assert "AMIGO_KEY_SECRET: " in told
    assert "AMIGO_LISTEN_PORT: Input should be less than or equal to 65535." in told
    assert "too short" not in told + str(refusal.value)


def test_a_service_exposed_without_keys_exits_with_the_reason(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AMIGO_LISTEN_HOST", "0.0.0.0")
    with pytest.raises(SystemExit) as ended:
        main()
    (line,) = str(ended.value.code).splitlines()
    assert line.startswith("AMIGO_LISTEN_HOST=0.0.0.0 exposes every job to other machines")
