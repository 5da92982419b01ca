"""`python -m deploy.audit`: the versions of constraints.txt against the known vulnerabilities, by pip-audit.

Asks PyPI, and OSV about what PyPI does not know. Ends with status 1 for a vulnerability that
deploy/accepted_vulnerabilities.toml does not accept. What could not be checked, for want of a network or of an index
with such data, is said in one line and fails nothing.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

HERE = Path(__file__).parent
CONSTRAINTS = HERE.parent / "constraints.txt"
ACCEPTED = HERE / "accepted_vulnerabilities.toml"
SOURCES = ("pypi", "osv")
LONGEST_S, CONNECT_S = 25, 5

Report = list[dict[str, Any]]


def ask(source: str, requirements: Path = CONSTRAINTS) -> Report:
    """What one source says of each package; nothing where it does not answer in time."""
    words = [sys.executable, "-m", "pip_audit", "--requirement", str(requirements), "--no-deps", "--disable-pip"]
    words += ["--vulnerability-service", source, "--format", "json", "--progress-spinner", "off"]
    try:
        done = subprocess.run(
            [*words, "--timeout", str(CONNECT_S)], capture_output=True, text=True, timeout=LONGEST_S, check=False
        )
        found: Report = json.loads(done.stdout)["dependencies"]
    except (subprocess.TimeoutExpired, ValueError, KeyError):
        return []
    return found


def faults(report: Report, accepted: Mapping[str, str]) -> list[str]:
    """A line for each vulnerability that nobody has accepted, under any of its names."""
    return [
        f"{each['name']} {each['version']}: {found['id']}, mended in {', '.join(found['fix_versions']) or 'no version'}"
        for each in report
        for found in each.get("vulns", ())
        if not accepted.keys() & {found["id"], *found.get("aliases", ())}
    ]


def accepted() -> dict[str, str]:
    """Identifier to reason."""
    return dict(tomllib.loads(ACCEPTED.read_text(encoding="utf-8"))["accepted"])


def main(requirements: Path = CONSTRAINTS) -> int:
    """Asks, prints, judges."""
    report: dict[str, dict[str, Any]] = {}
    for source in SOURCES:
        if not report or any("vulns" not in each for each in report.values()):
            report |= {each["name"]: each for each in ask(source, requirements) if "vulns" in each or not report}
    unknown = sum("vulns" not in each for each in report.values())
    found = faults(list(report.values()), accepted())
    print(f"{len(report) - unknown} packages checked for known vulnerabilities, {len(found)} found")
    for line in found:
        print(f"  {line}. Raise the version, or accept it with a reason in {ACCEPTED.relative_to(HERE.parent)}.")
    if unknown or not report:
        print(f"Not checked: {unknown or 'all'}; neither PyPI nor OSV can be asked for them from here.")
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main())
