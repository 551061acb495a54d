"""Check the packages pinned in constraints.txt for known vulnerabilities: `make audit`.

Exit status:

    0    no known vulnerabilities, and every package was looked up
    1    known vulnerabilities, or some packages could not be looked up
    2    no package could be looked up; 0 instead with AMIGO_AUDIT=offline

pip-audit itself reports success if no package could be looked up.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

CONSTRAINTS = Path(__file__).parents[1] / "constraints.txt"

SERVICES = ("pypi", "osv")
"""Vulnerability services in order; the next one is queried only if the one before knows nothing."""

TIMEOUT_SECONDS = 15

Packages = Sequence[Mapping[str, Any]]


def look_up(service: str) -> Packages:
    """Return a service's findings for each package; empty if it does not respond."""
    command = (
        *(sys.executable, "-m", "pip_audit", f"--requirement={CONSTRAINTS}"),
        *("--no-deps", "--disable-pip", "--format=json", "--progress-spinner=off"),
        *(f"--vulnerability-service={service}", f"--timeout={TIMEOUT_SECONDS}"),
    )
    response = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    if not response.stdout:
        print(f"{service}: {response.stderr.strip().rpartition(chr(10))[2]}")
        return ()
    packages: Packages = json.loads(response.stdout)["dependencies"]
    return packages if any(map(_is_known, packages)) else ()


def judge(packages: Packages, *, is_offline: bool) -> tuple[int, list[str]]:
    """Return the exit status and the report lines."""
    if not packages:
        return (0 if is_offline else 2), ["Not audited: no vulnerability service responded."]
    flaws = [line for package in packages for line in _flaws(package)]
    unknown = [package["name"] for package in packages if not _is_known(package)]
    lines = [*flaws, f"{len(packages) - len(unknown)} of {len(packages)} packages audited."]
    if unknown:
        lines.append(f"Not audited: {', '.join(unknown)}.")
    return int(bool(flaws or unknown)), lines


def _is_known(package: Mapping[str, Any]) -> bool:
    return "skip_reason" not in package


def _flaws(package: Mapping[str, Any]) -> Iterator[str]:
    for flaw in package.get("vulns", ()):
        fixed = ", ".join(flaw["fix_versions"]) or "no version"
        yield f"{package['name']} {package['version']}: {flaw['id']}, fixed in {fixed}"


def main() -> None:
    """Query one service after the other, print the findings, and exit accordingly."""
    found = next(filter(None, map(look_up, SERVICES)), ())
    status, lines = judge(found, is_offline=os.environ.get("AMIGO_AUDIT") == "offline")
    print("\n".join(lines))
    sys.exit(status)


if __name__ == "__main__":
    main()
