"""The Kubernetes manifests: valid, and in agreement with the code that they run."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from kubernetes_validate.utils import ValidationError, validate

from jobs.queue import SOFT_SHUTDOWN
from jobs.settings import Settings
from service.settings import ServiceSettings
from tests.unit.deploy.test_rules import exported_names, metric_names
from workers.reconciler.settings import ReconcilerSettings
from workers.synthesis.attempt import HANG_SECONDS
from workers.synthesis.settings import WorkerSettings
from workers.webhooks.settings import WebhookSettings

ROOT = Path(__file__).parents[3]
MANIFESTS = ROOT / "deploy" / "kubernetes"
OVERLAYS = ("cpu", "gpu")
CUSTOM = {"ScaledObject", "PodMonitor"}
"""Kinds whose schemas come with KEDA and the Prometheus operator, not with Kubernetes."""

PROCESSES: dict[str, type[Settings]] = {
    "service": ServiceSettings,
    "synthesis": WorkerSettings,
    "reconciler": ReconcilerSettings,
    "webhooks": WebhookSettings,
}


def has_kustomize() -> bool:
    """Return whether there is a kubectl of 1.24 or newer, which states its kustomize."""
    if not shutil.which("kubectl"):
        return False
    command = ("kubectl", "version", "--client", "-o", "json")
    return (
        "kustomizeVersion"
        in subprocess.run(command, capture_output=True, text=True, check=False).stdout
    )


pytestmark = pytest.mark.skipif(not has_kustomize(), reason="needs kubectl 1.24 or newer")

Resource = dict[str, Any]


@cache
def resources(overlay: str) -> tuple[Resource, ...]:
    """Return an overlay's resources as `kubectl apply -k` would send them."""
    command = ("kubectl", "kustomize", str(MANIFESTS / "overlays" / overlay))
    built = subprocess.run(command, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr
    return tuple(yaml.safe_load_all(built.stdout))


def deployments(overlay: str) -> dict[str, Resource]:
    return {each["metadata"]["name"]: each["spec"] for each in of_kind(overlay, "Deployment")}


def of_kind(overlay: str, kind: str) -> Iterator[Resource]:
    return (each for each in resources(overlay) if each["kind"] == kind)


def pod(deployment: Resource) -> Resource:
    found: Resource = deployment["template"]["spec"]
    return found


def container(deployment: Resource) -> Resource:
    (found,) = pod(deployment)["containers"]
    assert isinstance(found, dict)
    return found


def ports(deployment: Resource) -> dict[str, int]:
    return {port["name"]: port["containerPort"] for port in container(deployment)["ports"]}


def environment(overlay: str, name: str) -> dict[str, str | None]:
    """Return a process's variables; those from a Secret are None."""
    (config,) = of_kind(overlay, "ConfigMap")
    given = {
        each["name"]: each.get("value") for each in container(deployments(overlay)[name])["env"]
    }
    return {**config["data"], **given}


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_every_resource_is_valid(overlay: str) -> None:
    for resource in resources(overlay):
        if resource["kind"] not in CUSTOM:
            validate(resource, "1.33", strict=True)


def test_an_unknown_field_is_noticed() -> None:
    broken = {**next(of_kind("cpu", "Service"))}
    broken["spec"] = {**broken["spec"], "prots": []}
    with pytest.raises(ValidationError):
        validate(broken, "1.33", strict=True)


@pytest.mark.parametrize("overlay", OVERLAYS)
@pytest.mark.parametrize("name", PROCESSES)
def test_processes_get_variables_that_are_settings(overlay: str, name: str) -> None:
    fields = {f"AMIGO_{field.upper()}" for field in PROCESSES[name].model_fields}
    assert set(environment(overlay, name)) <= fields


def test_webhooks_and_the_service_know_the_url_of_the_service() -> None:
    for name in ("service", "webhooks"):
        assert str(environment("cpu", name)["AMIGO_PUBLIC_URL"]).startswith("https://")


@pytest.mark.parametrize("name", PROCESSES)
def test_processes_accept_their_variables_in_production(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    secrets = {"AMIGO_VALKEY_URL": "rediss://:password@valkey:6379/0"}
    secrets["AMIGO_WEBHOOK_SECRET"] = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    for variable, value in {**image_environment(name), **environment("cpu", name)}.items():
        monkeypatch.setenv(variable, value or secrets.get(variable, "an example of a secret"))
    assert PROCESSES[name]().environment == "production"


def image_environment(name: str) -> dict[str, str]:
    """Return the variables that the Dockerfile sets in the image of a process."""
    image = {"service": "service", "synthesis": "worker"}.get(name)
    text = (ROOT / "Dockerfile").read_text()
    stage = re.search(rf"AS {image}\n(.*?)(?=\nFROM|\Z)", text, re.DOTALL)
    return dict(re.findall(r"(AMIGO_\w+)=(\S+)", stage[1])) if stage else {}


def test_images_and_commands_are_those_of_the_dockerfile() -> None:
    targets = set(
        re.findall(r"^FROM \S+ AS (\w+)$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    )
    for overlay in OVERLAYS:
        for name, deployment in deployments(overlay).items():
            given = container(deployment)
            image, _, _ = given["image"].partition(":")
            assert image.removeprefix("amigo-") in targets
            command = given.get("command", ["python", "-m", "service"])
            module = {"service": "service"}.get(name, f"workers.{name}")
            assert name == "synthesis" or command == ["python", "-m", module]


def test_ports_are_those_that_the_processes_listen_on() -> None:
    deployment = deployments("cpu")
    assert ports(deployment["service"])["http"] == ServiceSettings().listen_port
    assert ports(deployment["synthesis"])["metrics"] == WorkerSettings().metrics_port
    for name, variable in (("reconciler", "RECONCILER"), ("webhooks", "WEBHOOK")):
        given = environment("cpu", name)[f"AMIGO_{variable}_METRICS_PORT"]
        assert given == str(ports(deployment[name])["metrics"])


def test_probes_policies_and_monitors_use_ports_that_exist() -> None:
    names = {name for deployment in deployments("cpu").values() for name in ports(deployment)}
    text = yaml.safe_dump_all(resources("cpu"))
    assert set(re.findall(r"\bport: ([a-z]+)$", text, re.MULTILINE)) == names
    for path in re.findall(r"\bpath: (/[a-z]+)$", text, re.MULTILINE):
        assert path in ("/livez", "/readyz", "/metrics")


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_all_pods_run_without_privileges(overlay: str) -> None:
    for deployment in deployments(overlay).values():
        assert pod(deployment)["securityContext"]["runAsNonRoot"]
        assert pod(deployment)["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert container(deployment)["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert "memory" in container(deployment)["resources"]["limits"]


def test_a_stopping_worker_has_time_to_hand_its_job_back() -> None:
    seconds = pod(deployments("gpu")["synthesis"])["terminationGracePeriodSeconds"]
    assert seconds > 2 * (max(SOFT_SHUTDOWN, WorkerSettings().shutdown_seconds) + HANG_SECONDS)
    assert pod(deployments("cpu")["service"])["terminationGracePeriodSeconds"] > (
        ServiceSettings().shutdown_seconds
    )


def test_autoscalers_ask_for_metrics_that_exist() -> None:
    (scaled,) = of_kind("cpu", "ScaledObject")
    (trigger,) = scaled["spec"]["triggers"]
    assert metric_names(trigger["metadata"]["query"]) <= exported_names()
    adapter = (MANIFESTS / "components/hpa/autoscaler.yaml").read_text()
    (series,) = re.findall(r"seriesQuery: (\S+)", adapter)
    rules = (ROOT / "deploy/prometheus/rules.yml").read_text()
    assert f"record: {series}\n" in rules


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_every_selector_finds_pods(overlay: str) -> None:
    names = set(deployments(overlay))
    assert names == set(PROCESSES)
    for kind in ("PodDisruptionBudget", "HorizontalPodAutoscaler", "ScaledObject"):
        assert {each["metadata"]["name"] for each in of_kind(overlay, kind)} <= names
    text = yaml.safe_dump_all(resources(overlay))
    assert set(re.findall(r"app.kubernetes.io/name: (\w+)", text)) == names


def test_secrets_are_only_referred_to() -> None:
    assert not list(of_kind("cpu", "Secret"))
    text = (ROOT / "docs" / "operations.md").read_text()
    for key in set(
        re.findall(
            r"key: ([\w-]+)\n +name: amigo$", yaml.safe_dump_all(resources("cpu")), re.MULTILINE
        )
    ):
        assert f"--from-literal={key}=" in text
