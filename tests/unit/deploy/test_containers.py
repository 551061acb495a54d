"""The container files compared with the code they run."""

import re
from pathlib import Path

import pytest

from amigo.cli.doctor import MEDIAPIPE
from service.settings import ServiceSettings
from workers.reconciler.settings import ReconcilerSettings
from workers.synthesis.settings import WorkerSettings
from workers.webhooks.settings import WebhookSettings

ROOT = Path(__file__).parents[3]
SECRETS = {
    "AMIGO_VALKEY_PASSWORD",
    "AMIGO_S3_ACCESS_KEY",
    "AMIGO_S3_SECRET_KEY",
    "AMIGO_KEY_SECRET",
    "AMIGO_WEBHOOK_SECRET",
}


def text(name: str) -> str:
    return (ROOT / name).read_text()


def test_no_secret_has_a_default() -> None:
    uses = re.findall(r"\$\{(AMIGO_\w+)(:?[?-])", text("docker-compose.yml"))
    others = {"AMIGO_PUBLISH", "AMIGO_PUBLIC_URL", "AMIGO_CORS_ORIGINS", "AMIGO_VISIBLE_MARK"}
    assert {name for name, _ in uses} == SECRETS | others
    assert {operator for name, operator in uses if name in SECRETS} == {":?"}


def test_the_example_names_every_secret_and_gives_none() -> None:
    assert set(re.findall(r"^(AMIGO_\w+)=$", text(".env.example"), re.MULTILINE)) == SECRETS


@pytest.mark.parametrize("name", ["docker-compose.yml", "Dockerfile"])
def test_every_variable_is_a_setting(name: str) -> None:
    processes = (ServiceSettings, WorkerSettings, ReconcilerSettings, WebhookSettings)
    fields = {field for process in processes for field in process.model_fields}
    variables = re.findall(r"^(?:ENV)?\s+AMIGO_(\w+)[=:]", text(name), re.MULTILINE)
    assert variables
    assert {variable.lower() for variable in variables} <= fields


def test_the_service_in_a_container_starts_and_asks_for_keys() -> None:
    given = dict(re.findall(r"^(?:ENV)?\s+AMIGO_(\w+)=(\S+)", text("Dockerfile"), re.MULTILINE))
    settings = ServiceSettings.model_validate({name.lower(): given[name] for name in given})
    assert (settings.listen_host, settings.authentication) == ("0.0.0.0", "keys")


@pytest.mark.parametrize("name", ["Dockerfile", "Makefile"])
def test_mediapipe_is_pinned_once_and_for_all(name: str) -> None:
    assert set(re.findall(r"mediapipe==[\d.]+", text(name))) == {MEDIAPIPE}


def test_everything_copied_reaches_the_builder() -> None:
    lines = re.findall(r"^COPY (?!--from)(.+) \S+$", text("Dockerfile"), re.MULTILINE)
    copied = {name.partition("/")[0] for line in lines for name in line.split()}
    allowed = {line[1:] for line in text(".dockerignore").splitlines() if line.startswith("!")}
    assert copied == allowed
    assert all((ROOT / name).exists() for name in copied)
