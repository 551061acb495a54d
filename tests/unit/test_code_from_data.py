"""No code path of the running system turns data into code: checks every call in the source."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
RUNNING = ("service", "workers", "jobs", "media", "models", "amigo", "deploy")
"""All production code, except for what is listed below."""

AT_HOME = ("models/training", "models/evaluation", "models/metrics", "models/corpus")
"""Only reads what it wrote itself."""

MODULES = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "shelve", "marshal", "yaml"}
CALLS = {
    "eval",
    "exec",
    "os.system",
    "os.popen",
    "torch.load",
    "torch.hub.load",
    "torch.jit.load",
    "importlib.import_module",
    "pkgutil.resolve_name",
}
EXCEPT = {
    # The names are our own.
    "amigo/__init__.py": {"importlib.import_module"},
    # The operator names the pipeline, in a setting.
    "workers/synthesis/pipeline.py": {"pkgutil.resolve_name"},
}


def sources() -> Iterator[Path]:
    for folder in RUNNING:
        for path in sorted((ROOT / folder).rglob("*.py")):
            if not path.relative_to(ROOT).as_posix().startswith(AT_HOME):
                yield path


def dangers(source: str) -> Iterator[str]:
    """Yield the calls that could run data as code, judging by their names."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (each.name for each in node.names if _package(each.name) in MODULES)
        elif isinstance(node, ast.ImportFrom):
            if _package(node.module or "") in MODULES:
                yield str(node.module)
            names = {f"{node.module}.{each.name}" for each in node.names}
            yield from sorted(names & CALLS)
        elif isinstance(node, ast.Call):
            yield from _dangers_of(node)


def _dangers_of(call: ast.Call) -> Iterator[str]:
    name = ast.unparse(call.func)
    options = {option.arg: ast.unparse(option.value) for option in call.keywords}
    if name in CALLS:
        yield name
    if options.get("shell", "False") != "False":
        yield "shell=True"
    if name in ("np.load", "numpy.load") and options.get("allow_pickle") != "False":
        yield "np.load without allow_pickle=False"
    if options.get("allow_pickle", "False") != "False":
        yield "allow_pickle=True"


def _package(module: str) -> str:
    return module.partition(".")[0]


def test_no_running_code_executes_data() -> None:
    found = {}
    for path in sources():
        name = path.relative_to(ROOT).as_posix()
        if dangerous := set(dangers(path.read_text())) - EXCEPT.get(name, set()):
            found[name] = dangerous
    assert not found


def test_every_exception_is_needed() -> None:
    for name, allowed in EXCEPT.items():
        assert allowed <= set(dangers((ROOT / name).read_text()))


def test_every_part_of_the_running_system_is_read() -> None:
    read = {path.relative_to(ROOT).as_posix() for path in sources()}
    assert {
        "service/reading/files.py",
        "workers/synthesis/job_runner.py",
        "models/checkpoints.py",
        "jobs/valkey/job_store.py",
        "deploy/standalone/child.py",
    } <= read
    assert len(read) > 100


@pytest.mark.parametrize(
    "line",
    [
        "import pickle",
        "from pickle import loads",
        "import yaml",
        "import os\nos.system('ls')",
        "import torch\ntorch.load('x')",
        "import torch\ntorch.load('x', weights_only=False)",
        "from torch import load",
        "eval('1')",
        "exec('1')",
        "import pkgutil\npkgutil.resolve_name('os.system')",
        "import subprocess\nsubprocess.run('ls', shell=True)",
        "import subprocess\nsubprocess.run('ls', shell=is_shell)",
        "import numpy as np\nnp.load('x')",
        "import numpy as np\nnp.load('x', allow_pickle=True)",
        "import numpy as np\nnp.loadtxt('x', allow_pickle=yes)",
    ],
)
def test_each_dangerous_call_is_found(line: str) -> None:
    assert list(dangers(line))


@pytest.mark.parametrize(
    "line",
    [
        "import json\njson.loads('1')",
        "import subprocess\nsubprocess.run(['ls'], shell=False)",
        "import numpy as np\nnp.load('x', allow_pickle=False)",
        "model.eval()",
    ],
)
def test_safe_calls_are_allowed(line: str) -> None:
    assert not list(dangers(line))
