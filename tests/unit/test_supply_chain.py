"""Installed packages are pinned, their files are known, and an audit without data says so."""

import re
from pathlib import Path
from runpy import run_path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
PIN = re.compile(r"^([A-Za-z0-9._-]+)==([^\s\\]+)", re.MULTILINE)

UNLOCKED = {"torch"}
"""Its file differs by machine: built for the CPU or for CUDA."""

judge = run_path(str(ROOT / ".ci" / "audit.py"))["judge"]

GOOD = {"name": "six", "version": "1.17.0", "vulns": []}
BAD = {
    "name": "old",
    "version": "1.0",
    "vulns": [{"id": "PYSEC-1", "fix_versions": ["1.1"]}, {"id": "PYSEC-2", "fix_versions": []}],
}
UNKNOWN = {"name": "strange", "skip_reason": "not found"}


def pins(name: str) -> dict[str, str]:
    """Return the version of each package in a file, by its normalized name."""
    found = PIN.findall((ROOT / name).read_text())
    return {re.sub(r"[-_.]+", "-", package).lower(): version for package, version in found}


def test_every_pinned_package_but_torch_is_locked_at_its_version() -> None:
    pinned = pins("constraints.txt")
    assert pins("requirements.lock") == {
        package: version for package, version in pinned.items() if package not in UNLOCKED
    }
    assert set(pinned) >= UNLOCKED


def test_every_locked_package_has_the_digests_of_its_files() -> None:
    entries = re.split(r"\n(?=[A-Za-z0-9])", (ROOT / "requirements.lock").read_text())
    entries = [entry for entry in entries if PIN.match(entry)]
    assert len(entries) == len(pins("requirements.lock"))
    for entry in entries:
        assert re.search(r"--hash=sha256:[0-9a-f]{64}\b", entry), entry


@pytest.mark.parametrize(
    ("packages", "status", "words"),
    [
        ([GOOD], 0, ["1 of 1 packages audited"]),
        ([GOOD, BAD], 1, ["old 1.0: PYSEC-1, fixed in 1.1", "PYSEC-2, fixed in no version"]),
        ([GOOD, UNKNOWN], 1, ["1 of 2 packages audited", "Not audited: strange"]),
        ((), 2, ["Not audited: no vulnerability service responded"]),
    ],
)
def test_an_audit_passes_only_when_all_was_looked_up_and_is_good(
    packages: list[dict[str, Any]], status: int, words: list[str]
) -> None:
    found, lines = judge(packages, is_offline=False)
    assert found == status
    assert all(any(word in line for line in lines) for word in words)


def test_an_audit_that_is_known_to_be_offline_passes_with_a_notice() -> None:
    assert judge((), is_offline=True) == (
        0,
        ["Not audited: no vulnerability service responded."],
    )
    assert judge([BAD], is_offline=True)[0] == 1
