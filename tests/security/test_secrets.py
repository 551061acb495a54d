"""Secrets never appear in a log, a response or a metric, whatever goes wrong.

Real processes, each with unmistakable secrets, run a scenario with successes and failures; then all
their output and responses are searched.
"""

from base64 import b64decode
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from pydantic import SecretStr, ValidationError
from redis import Redis

from deploy.standalone.child import Child, Program
from deploy.standalone.installation import Installation
from deploy.standalone.processes import SeaweedServer, ValkeyServer, free_ports
from jobs.assets import Asset
from jobs.job import Job
from jobs.queue import JobQueue, create_celery
from jobs.settings import Settings, read_settings
from jobs.valkey.api_keys import KEYS, ApiKey, ApiKeyStore
from jobs.valkey.keys import OUTBOX, record_key
from jobs.valkey.webhook_outbox import WEBHOOKS, Delivery
from jobs.values import Value
from service.settings import ServiceSettings
from tests.jobs_examples import new_job
from tests.loopback import loopback
from tests.processes import Running, RunningService, running, running_service
from tests.servers import LocalServer, content, redirect, serving
from tests.service_examples import portrait, speech, upload
from tests.waiting import PATIENCE, wait_for
from workers.reconciler.settings import ReconcilerSettings
from workers.synthesis.settings import WorkerSettings
from workers.webhooks.settings import WebhookSettings

VALKEY_PASSWORD = "quiet-valkey-password-5f1c"
S3_SECRET = "quiet-s3-secret-77ab"
KEY_SECRET = "quiet-key-secret-b2d9-0123456789"
WEBHOOK_SECRET = "whsec_cXVpZXQtd2ViaG9vay1zZWNyZXQtMDEyMzQ1Njc4OQ=="
WRONG_PASSWORD = "wrong-valkey-password-31f0"
WRONG_S3_SECRET = "wrong-s3-secret-90cc"
URL_SIGNATURE = "url-signature-8e02"
REDIRECT_SIGNATURE = "redirect-signature-44d1"
WEBHOOK_TOKEN = "webhook-token-f6b7"

UNREADABLE_URL = f"redis://:{WRONG_PASSWORD}/x@127.0.0.1:6379/0"
"""A slash in a URL's password must be percent-encoded."""

SECRETS = {
    "Valkey's password": VALKEY_PASSWORD,
    "the object store's secret key": S3_SECRET,
    "the secret of API keys": KEY_SECRET,
    "the secret of webhooks": WEBHOOK_SECRET.removeprefix("whsec_"),
    "a wrong password of Valkey": WRONG_PASSWORD,
    "a wrong secret key": WRONG_S3_SECRET,
    "the signature in a caller's URL": URL_SIGNATURE,
    "the signature in a redirect": REDIRECT_SIGNATURE,
    "the token in a webhook's URL": WEBHOOK_TOKEN,
}


@dataclass
class Evidence:
    """All output and responses, by source, and the secrets created on the way."""

    logs: dict[str, str] = field(default_factory=dict)
    answers: list[str] = field(default_factory=list)
    tokens: list[str] = field(default_factory=list)
    digests: list[str] = field(default_factory=list)
    presigned: list[str] = field(default_factory=list)

    def places_of(self, secret: str, *, also_in_answers: bool = True) -> list[str]:
        """Return where a secret appears, with some context."""
        texts = dict(self.logs)
        if also_in_answers:
            texts |= {f"answer {n}": text for n, text in enumerate(self.answers)}
        return [
            f"{place}: …{text[max(0, text.index(secret) - 200) :][:400]}…"
            for place, text in texts.items()
            if secret in text
        ]


@dataclass
class Stage:
    """The stores and the processes of the scenario, and their output."""

    folder: Path
    stack: ExitStack
    valkey: ValkeyServer
    s3: SeaweedServer
    evidence: Evidence = field(default_factory=Evidence)

    @property
    def environment(self) -> dict[str, str]:
        return {
            **self.valkey.environment,
            **self.s3.environment,
            "AMIGO_S3_PUBLIC_ENDPOINT_URL": self.s3.url,
            "AMIGO_KEY_SECRET": KEY_SECRET,
            "AMIGO_WEBHOOK_SECRET": WEBHOOK_SECRET,
            "AMIGO_AUTHENTICATION": "keys",
            "AMIGO_LOG_LEVEL": "DEBUG",
            "AMIGO_LOCAL_URLS": "true",
            "AMIGO_LEASE_SECONDS": "2",
            "AMIGO_RETRY_MAX_SECONDS": "2",
            "AMIGO_RECONCILER_SECONDS": "0.3",
            "AMIGO_WEBHOOK_PAUSE_SECONDS": "0.2",
            "AMIGO_DEVICE": "cpu",
            "AMIGO_PIPELINE": "tests.integration.workers.pipelines:GreyPipeline",
            "AMIGO_RUN_DIRECTORY": str(self.folder / "run"),
        }

    @property
    def settings(self) -> Settings:
        return Settings(
            valkey_url=self.valkey.url,
            s3_endpoint_url=self.s3.url,
            s3_access_key=self.s3.access_key,
            s3_secret_key=SecretStr(S3_SECRET),
            key_secret=SecretStr(KEY_SECRET),
        )

    def log(self, name: str) -> Path:
        return self.folder / f"{name}.log"

    def start(self, module: str, name: str | None = None, **extra: str) -> Running:
        program = running(module, {**self.environment, **extra}, self.log(name or module))
        return self.stack.enter_context(program)

    def service(self, name: str, **extra: str) -> RunningService:
        program = running_service({**self.environment, **extra}, self.log(name))
        return self.stack.enter_context(program)

    def hear(self, response: httpx.Response) -> httpx.Response:
        """Record a response, except for the URLs that it has to contain."""
        text = f"{response.status_code} {response.headers} {response.text}"
        for url in (response.headers.get("location"), _upload_url(response)):
            if url and "X-Amz-Signature" in url:
                self.evidence.presigned += parse_qs(urlsplit(url).query)["X-Amz-Signature"]
        self.evidence.answers.append(text)
        return response


def _upload_url(response: httpx.Response) -> str | None:
    if response.status_code != 201:
        return None
    url: str = response.json()["upload"]["url"]
    return url


@contextmanager
def child(program: Child) -> Iterator[Child]:
    program.start()
    try:
        program.wait_ready()
        yield program
    finally:
        program.clean_up()


def elsewhere(handler: BaseHTTPRequestHandler) -> object:
    """Respond like callers' own servers, good and bad ones."""
    path = urlsplit(handler.path).path
    responses = {
        "/face": content(portrait()),
        "/speech": content(speech()),
        "/leads-on": redirect(f"/missing?signature={REDIRECT_SIGNATURE}"),
        "/leads-inside": redirect(f"http://10.0.0.1/?signature={REDIRECT_SIGNATURE}"),
        "/hook": content(b""),
        "/broken-hook": content(b"", 500),
    }
    return responses.get(path, content(b"", 404))(handler)


@pytest.fixture(scope="module")
def evidence(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Evidence]:
    folder = tmp_path_factory.mktemp("secrets")
    valkey = ValkeyServer(folder, password=VALKEY_PASSWORD)
    s3 = SeaweedServer(folder, secret_key=S3_SECRET)
    with ExitStack() as stack:
        valkey_process = stack.enter_context(child(Child(valkey.program())))
        stack.enter_context(child(Child(s3.program())))
        others = stack.enter_context(serving(elsewhere))
        stage = Stage(folder, stack, valkey, s3)
        play(stage, others, valkey_process.clean_up)
        stack.close()
        for log in folder.glob("*.log"):
            if log.name not in ("valkey.log", "seaweedfs.log"):
                stage.evidence.logs[log.stem] = log.read_text()
        yield stage.evidence


def play(stage: Stage, others: LocalServer, stop_valkey: Callable[[], object]) -> None:
    ports = free_ports(2)
    worker = stage.start("workers.synthesis", AMIGO_METRICS_PORT=str(ports[0]))
    sender = stage.start("workers.webhooks", AMIGO_WEBHOOK_METRICS_PORT=str(ports[1]))
    reconciler = stage.start("workers.reconciler")
    service = stage.service("service")
    keys = ApiKeyStore.connect(stage.settings)
    key, token = keys.create("acme")
    stage.evidence.tokens.append(token)
    bearer = {"Authorization": f"Bearer {token}"}
    with httpx.Client(base_url=service.url, headers=bearer, timeout=PATIENCE) as http:
        worker.wait_for_log("The pipeline is loaded")
        jobs = make_jobs(stage, http, others)
        for job in jobs:
            wait_for(partial(has_ended, stage, http, job))
        sender.wait_for_log("responded with status 500")
        look_at_all(stage, http, jobs[0])
        be_refused(stage, http, keys)
        break_records(stage, http, key.id)
    sender.wait_for_log("the delivery ended with an unexpected error")
    worker.wait_for_log("ValidationError")
    wait_for(lambda: "ValidationError" in reconciler.log)
    for port in ports:
        stage.hear(loopback.get(f"http://127.0.0.1:{port}/metrics"))
    misconfigure(stage)
    stop_valkey()
    for path in ("/v1/jobs", "/readyz", "/metrics"):
        stage.hear(loopback.get(service.url + path, headers=bearer))
    sender.wait_for_log("Webhooks cannot be delivered")
    stage.start("workers.reconciler", "without-valkey").wait_for_log("was interrupted")
    worker.wait_for_log("onnection")


def make_jobs(stage: Stage, http: httpx.Client, others: LocalServer) -> list[str]:
    """Submit jobs with valid and invalid inputs; return the paths of those accepted."""
    good = {
        "portrait_url": f"{others.url}/face?signature={URL_SIGNATURE}",
        "audio_url": f"{others.url}/speech?signature={URL_SIGNATURE}",
        "webhook_url": f"{others.url}/hook?token={WEBHOOK_TOKEN}",
        "consent": True,
    }
    signed = f"?signature={URL_SIGNATURE}"
    changes = (
        {"webhook_url": f"{others.url}/broken-hook?token={WEBHOOK_TOKEN}"},
        {"portrait_url": f"{others.url}/missing{signed}"},
        {"portrait_url": f"{others.url}/leads-on{signed}"},
        {"audio_url": f"{others.url}/leads-inside{signed}"},
        {"audio_url": f"http://127.0.0.1:1/{signed}"},
        {"audio_url": f"http://no-such-host.invalid/{signed}"},
        {"seed": 4},  # the pipeline fails
    )
    accepted = [stage.hear(http.post("/v1/jobs", json=good | change)) for change in ({}, *changes)]
    accepted.append(stage.hear(http.post("/v1/jobs", files=upload())))
    assert {response.status_code for response in accepted} == {202}
    for refused in (
        {"portrait_url": f"ftp://example.org/{signed}"},
        {"audio_url": f"http://10.0.0.1/{signed}"},
        {"webhook_url": f"https://example.org/?token={WEBHOOK_TOKEN}" + "x" * 3000},
        {"portrait": signed},
    ):
        assert stage.hear(http.post("/v1/jobs", json=good | refused)).status_code == 422
    return [response.headers["location"] for response in accepted]


def has_ended(stage: Stage, http: httpx.Client, job: str) -> bool:
    response = http.get(job)
    if response.json()["status"] not in ("succeeded", "failed"):
        return False
    stage.hear(response)
    return True


def look_at_all(stage: Stage, http: httpx.Client, job: str) -> None:
    """Request everything about a job, and an asset; both lead to the object store."""
    files = ("/video", "/poster", "/landmarks", "/video?redirect=false", "/stream/1/init.mp4")
    for path in ("", "/events", "/stream", *files):
        with http.stream("GET", job + path) as response:
            response.read()
            stage.hear(response)
    wanted = {"kind": "portrait", "size": len(portrait()), "content_type": "image/jpeg"}
    asset = stage.hear(http.post("/v1/assets", json=wanted)).json()
    assert loopback.put(
        asset["upload"]["url"], content=portrait(), headers=asset["upload"]["headers"]
    ).is_success
    for path in ("/", "/docs", "/openapi.json", "/metrics", "/readyz", "/v1/jobs", "/problems"):
        stage.hear(http.get(path))


def be_refused(stage: Stage, http: httpx.Client, keys: ApiKeyStore) -> None:
    """Send invalid API keys, also in unusual places."""
    key, token = keys.create("acme")
    keys.revoke(key.id)
    stage.evidence.tokens.append(token)
    stage.evidence.digests += [key.digest for key in keys.all()]
    for given in (token, f"{token[:-2]}xx", token[:-2]):
        for headers in ({"Authorization": f"Bearer {given}"}, {"X-Api-Key": given}):
            for path in ("/v1/jobs", f"/v1/jobs/{new_job().id}"):
                headers = {"Authorization": "", **headers}
                stage.hear(http.get(path, headers=headers, params={"key": given}))


def break_records(stage: Stage, http: httpx.Client, key_id: str) -> None:
    """Damage stored data, so that every process that reads it fails with a traceback."""
    job = new_job(
        tenant="acme",
        portrait_url=f"https://example.org/?signature={URL_SIGNATURE}",
        webhook_url=f"https://example.org/?token={WEBHOOK_TOKEN}",
    )
    damaged = job.model_dump_json().replace('"queued"', '"qu3ued"')
    with Redis.from_url(stage.valkey.url) as client:
        client.set(record_key(job.id), damaged[:-5])
        assert stage.hear(http.get(f"/v1/jobs/{job.id}")).status_code == 500
        client.set(record_key(job.id), damaged)
        assert stage.hear(http.get(f"/v1/jobs/{job.id}")).status_code == 500
        client.zadd(WEBHOOKS, {job.id: 0})
        client.zadd(OUTBOX, {job.id: 0})
        record = client.hget(KEYS, key_id)
        assert isinstance(record, bytes)
        client.hset(KEYS, key_id, record.replace(b'"acme"', b'"ac me"'))
        assert stage.hear(http.get("/v1/jobs")).status_code == 500
        client.hset(KEYS, key_id, record)
    JobQueue(create_celery(stage.settings)).dispatch(job.id)


def misconfigure(stage: Stage) -> None:
    """Start processes with wrong or malformed secrets."""
    wrong_s3 = stage.service("service-wrong-s3", AMIGO_S3_SECRET_KEY=WRONG_S3_SECRET)
    url = stage.valkey.url.replace(VALKEY_PASSWORD, WRONG_PASSWORD)
    wrong_valkey = stage.service("service-wrong-valkey", AMIGO_VALKEY_URL=url)
    bearer = {"Authorization": f"Bearer {stage.evidence.tokens[0]}"}
    for service in (wrong_s3, wrong_valkey):
        with httpx.Client(base_url=service.url, headers=bearer, timeout=PATIENCE) as http:
            responses = [http.get("/readyz"), http.post("/v1/jobs", files=upload())]
            assert {stage.hear(response).status_code for response in responses} == {503}
    ended = stage.start("service", "service-unreadable", AMIGO_VALKEY_URL=UNREADABLE_URL)
    assert ended.process.wait(PATIENCE) != 0


def test_the_scenario_ran_to_its_end(evidence: Evidence) -> None:
    logs, responses = evidence.logs, "\n".join(evidence.answers)
    for code in ("url_unreachable", "url_refused", "internal_error", "key_invalid"):
        assert f'"code":"{code}"' in responses.replace(" ", ""), code
    for status in ("store_unavailable", "storage_unavailable", "succeeded"):
        assert status in responses
    assert logs["service"].count("A request failed with an unexpected error") == 3
    assert '"level": "debug"' in logs["service"]
    for name in ("service", "workers.synthesis", "workers.webhooks", "workers.reconciler"):
        assert "Traceback" in logs[name], name
    assert "AMIGO_VALKEY_URL" in logs["service-unreadable"]
    for log in logs.values():
        assert log
    assert len(evidence.presigned) >= 2
    assert "amigo_webhook_attempts_total" in responses
    assert "amigo_worker_jobs_total" in responses
    assert "amigo_http_requests_total" in responses


@pytest.mark.parametrize("name", SECRETS)
def test_no_log_or_response_contains_a_secret(evidence: Evidence, name: str) -> None:
    assert not evidence.places_of(SECRETS[name])


def test_the_webhook_secret_appears_in_no_other_encoding(evidence: Evidence) -> None:
    spelled = b64decode(SECRETS["the secret of webhooks"]).decode()
    assert not evidence.places_of(spelled)


def test_no_log_or_response_contains_an_api_key_or_its_digest(evidence: Evidence) -> None:
    secrets = [token.split("_", 2)[2][:-2] for token in evidence.tokens]
    for secret in (*secrets, *evidence.digests):
        assert not evidence.places_of(secret)


def test_only_callers_receive_the_signatures_of_presigned_urls(
    evidence: Evidence,
) -> None:
    for signature in evidence.presigned:
        assert not evidence.places_of(signature, also_in_answers=False)
        assert evidence.places_of(signature)


@pytest.mark.parametrize("kind", [Settings, ServiceSettings, WorkerSettings, WebhookSettings])
@pytest.mark.parametrize("show", [repr, str])
def test_settings_do_not_show_their_secrets(
    kind: type[Settings], show: Callable[[Settings], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AMIGO_VALKEY_URL", f"redis://:{VALKEY_PASSWORD}@127.0.0.1:6379/0")
    monkeypatch.setenv("AMIGO_S3_SECRET_KEY", S3_SECRET)
    monkeypatch.setenv("AMIGO_KEY_SECRET", KEY_SECRET)
    monkeypatch.setenv("AMIGO_WEBHOOK_SECRET", WEBHOOK_SECRET)
    shown = show(kind())
    assert "s3_bucket" in shown
    for secret in (VALKEY_PASSWORD, S3_SECRET, KEY_SECRET, WEBHOOK_SECRET):
        assert secret not in shown


@pytest.mark.parametrize(
    "kind", [ServiceSettings, WorkerSettings, ReconcilerSettings, WebhookSettings]
)
def test_a_process_that_cannot_read_a_secret_does_not_quote_it(
    kind: type[Settings], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AMIGO_VALKEY_URL", UNREADABLE_URL)
    with pytest.raises(SystemExit, match="AMIGO_VALKEY_URL") as told:
        read_settings(kind)
    assert WRONG_PASSWORD not in str(told.value)


@pytest.mark.parametrize("kind", [Job, ApiKey, Asset, Delivery])
@pytest.mark.parametrize("text", ['{"x": "quiet"}', '{"x": "quiet"', '"quiet"'])
def test_an_error_does_not_quote_an_unreadable_record(kind: type[Value], text: str) -> None:
    with pytest.raises(ValidationError) as told:
        kind.model_validate_json(text)
    assert "quiet" not in str(told.value)


def test_the_repr_of_a_store_does_not_contain_its_secrets(tmp_path: Path) -> None:
    valkey = ValkeyServer(tmp_path, password=VALKEY_PASSWORD)
    s3 = SeaweedServer(tmp_path, secret_key=S3_SECRET)
    program = Program("service", (), tmp_path, lambda: True, env=valkey.environment)
    kept = Installation(tmp_path).prepare()
    assert VALKEY_PASSWORD not in repr(valkey) + repr(program)
    assert S3_SECRET not in repr(s3)
    assert not [value for value in (kept.s3_secret_key, kept.key_secret) if value in repr(kept)]
