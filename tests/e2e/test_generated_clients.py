"""The OpenAPI document passes linters we did not write, and generated clients work.

Each generator writes a client from the document of the running system. A short program in
`clients/` then makes a job with it, polls the job and downloads the video. `make client-tools`
installs linters and generators; what is missing is skipped by name.
"""

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from deploy.standalone.system import Standalone
from tests.loopback import loopback
from tests.waiting import PATIENCE

ROOT = Path(__file__).parents[2]
CLIENTS = Path(__file__).parent / "clients"
PYTHON_TOOLS = ROOT / ".tools" / "python" / "bin"
NODE_MODULES = ROOT / ".tools" / "node_modules"

ENVIRONMENT = {
    **os.environ,
    "PATH": f"{PYTHON_TOOLS}:{NODE_MODULES / '.bin'}:{os.environ['PATH']}",
    # A generator runs for seconds: too short for optimizing compilers and parallel collectors.
    "JAVA_TOOL_OPTIONS": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC",
    "REDOCLY_TELEMETRY": "off",
    "REDOCLY_SUPPRESS_UPDATE_NOTICE": "true",
}


def run(command: str, folder: Path, **variables: str) -> None:
    """Run a shell command in a folder and fail with its output."""
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", command],
        cwd=folder,
        env={**ENVIRONMENT, **variables},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"


def needs(*tools: str) -> None:
    """Skip a test if a tool is missing."""
    for tool in tools:
        if shutil.which(tool, path=ENVIRONMENT["PATH"]) is None:
            pytest.skip(f"no {tool} on this machine; `make client-tools` installs it")


@pytest.fixture(scope="module")
def document(system: Standalone, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("document") / "openapi.json"
    path.write_text(json.dumps(loopback.get(f"{system.url}/openapi.json").json()))
    return path


@pytest.mark.parametrize(
    ("tool", "command"),
    [
        ("openapi-spec-validator", "openapi-spec-validator {document}"),
        ("spectral", "spectral lint --fail-severity warn -r {clients}/spectral.yaml {document}"),
        ("redocly", "redocly lint --config {clients}/redocly.yaml {document}"),
    ],
    ids=lambda value: value if " " not in value else "",
)
def test_the_openapi_document_passes_its_linters(
    tool: str, command: str, document: Path, tmp_path: Path
) -> None:
    needs(tool)
    run(command.format(document=document, clients=CLIENTS), tmp_path)


@dataclass(frozen=True)
class Generator:
    """A generator: the tools it needs, what writes the client, and what builds and runs it."""

    name: str
    tools: tuple[str, ...]
    generate: str
    build: str
    start: str
    prepare: Callable[[Path], None] = lambda _: None


def prepare_typescript(folder: Path) -> None:
    """Let a program in TypeScript find its packages."""
    (folder / "node_modules").symlink_to(NODE_MODULES)
    (folder / "package.json").write_text('{"type": "module"}')
    shutil.copy(CLIENTS / "tsconfig.json", folder)


WITHOUT_WEBHOOKS = "jq 'del(.webhooks)' {document} > document.json"
"""openapi-generator writes no models for webhooks, but imports them."""
TSC = "cp {program} main.ts && tsc -p ."

GENERATORS = [
    Generator(
        "openapi_python_client.py",
        ("openapi-python-client",),
        "openapi-python-client generate --meta none --config {clients}/openapi_python_client.yaml "
        "--path {document} --output-path amigo_client",
        "cp {program} main.py",
        f"PYTHONPATH=. {PYTHON_TOOLS}/python main.py",
    ),
    Generator(
        "openapi_fetch.ts",
        ("openapi-typescript", "tsc", "node"),
        "openapi-typescript {document} -o generated.d.ts",
        TSC,
        "node main.js",
        prepare_typescript,
    ),
    Generator(
        "hey_api.ts",
        ("openapi-ts", "tsc", "node"),
        'echo \'export default {{ input: "{document}", '
        'output: {{ path: "generated", module: {{ extension: ".js" }} }} }};\' > config.mjs && '
        "openapi-ts -f config.mjs",
        TSC,
        "node main.js",
        prepare_typescript,
    ),
    Generator(
        "openapi_generator.py",
        ("java", "openapi-generator-cli", "jq"),
        f"{WITHOUT_WEBHOOKS} && openapi-generator-cli generate -g python -i document.json -o .",
        "cp {program} main.py",
        f"PYTHONPATH=. {PYTHON_TOOLS}/python main.py",
    ),
    Generator(
        "typescript_fetch.ts",
        ("java", "openapi-generator-cli", "tsc", "node", "jq"),
        f"{WITHOUT_WEBHOOKS} && openapi-generator-cli generate -g typescript-fetch "
        "-i document.json -o generated -p importFileExtension=.js",
        TSC,
        "node main.js",
        prepare_typescript,
    ),
]


@pytest.mark.parametrize("generator", GENERATORS, ids=lambda generator: generator.name)
def test_a_generated_client_creates_polls_and_downloads_a_job(
    generator: Generator,
    document: Path,
    system: Standalone,
    portrait: Path,
    speech: Path,
    tmp_path: Path,
) -> None:
    needs(*generator.tools)
    generator.prepare(tmp_path)
    program = CLIENTS / f"with_{generator.name}"
    for step in (generator.generate, generator.build):
        run(step.format(document=document, clients=CLIENTS, program=program), tmp_path)
    run(f"{generator.start} {system.url} {portrait} {speech} video.mp4", tmp_path)
    assert (tmp_path / "video.mp4").read_bytes()[4:8] == b"ftyp"
