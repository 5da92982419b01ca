"""What a user installs: free of copyleft that would bind them, listed, and compared with known vulnerabilities."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from deploy import audit, installed, sbom

ROOT = Path(__file__).parents[2]
# GCC's runtime libraries, linked into wheels, let programs of any licence use them.
GCC = re.compile(r"GPL-3\.0(-or-later|-only)? WITH GCC-exception-3\.1")
GPL = re.compile(r"\bA?GPL|(?<!LESSER )GENERAL PUBLIC LICENSE|AFFERO", re.IGNORECASE)


def binds(licence: str) -> bool:
    """Whether it is the GPL or the AGPL; the LGPL lets others link to it."""
    return GPL.search(GCC.sub("", licence).replace("LGPL", "")) is not None


@pytest.mark.parametrize(
    ("licence", "bound"),
    [
        ("GPL-3.0-only", True),
        ("MIT OR AGPL-3.0", True),
        ("License :: OSI Approved :: GNU General Public License v3 (GPLv3)", True),
        ("GNU Affero", True),
        ("LGPL-3.0-only", False),
        ("GNU Lesser General Public License v3 (LGPLv3)", False),
        ("BSD-3-Clause AND GPL-3.0-or-later WITH GCC-exception-3.1", False),
        ("Apache-2.0", False),
    ],
)
def test_the_gpl_is_told_from_its_lesser_sister(licence: str, bound: bool):
    assert binds(licence) is bound


def test_nothing_that_a_user_installs_is_under_the_gpl():
    licences = {name: installed.licence(package) for name, package in installed.closure().items()}
    assert {"kerascope", "tensorflow", "pydicom", "streamlit", "psycopg-binary", "openvino"} <= licences.keys()
    assert [name for name, licence in licences.items() if not licence.strip()] == []
    assert {name: licence for name, licence in licences.items() if binds(licence)} == {}


def test_the_bill_of_materials_names_every_package_with_version_licence_and_what_it_needs(tmp_path: Path):
    assert sbom.main(tmp_path / "build" / "sbom.json") == 0
    text = (tmp_path / "build" / "sbom.json").read_text()
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    bill = json.loads(text)
    listed = {each["name"]: each for each in bill["components"]}
    assert {name: package.version for name, package in installed.closure().items()} == {
        "kerascope": bill["metadata"]["component"]["version"],
        **{name: each["version"] for name, each in listed.items()},
    }
    assert all(each["licenses"] for each in listed.values())
    needs = {each["ref"]: each.get("dependsOn", []) for each in bill["dependencies"]}
    assert listed["numpy"]["bom-ref"] in needs[listed["pydicom"]["bom-ref"]] + needs[listed["tensorflow"]["bom-ref"]]
    assert listed["sqlalchemy"]["bom-ref"] in needs[bill["metadata"]["component"]["bom-ref"]]  # by an extra


class Osv(BaseHTTPRequestHandler):
    """OSV's query, POST /v1/query: one vulnerability of one version of one package. https://google.github.io/osv.dev"""

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        name = asked["package"]["name"]
        affected = {"package": {"name": name, "ecosystem": "PyPI"}}
        affected |= {"ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "2.0"}]}]}
        found = {"id": "PYSEC-2026-1", "aliases": ["CVE-2026-1"], "summary": "a bomb", "affected": [affected]}
        vulnerable = (name, asked["version"]) == ("pillow", "1.0")
        said = json.dumps({"vulns": [found]} if vulnerable else {}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def osv() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Osv)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/v1/query"
    server.shutdown()


@pytest.fixture
def alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No network but this machine, nothing remembered of one, and time enough where much else is running."""
    monkeypatch.setattr(audit, "LONGEST_S", 240)
    for variable in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"):
        monkeypatch.setenv(variable, "http://127.0.0.1:9")  # where nobody listens
    for variable in ("NO_PROXY", "no_proxy"):
        monkeypatch.setenv(variable, "127.0.0.1")
    for variable in ("PIP_CACHE_DIR", "XDG_CACHE_HOME"):
        monkeypatch.setenv(variable, str(tmp_path / "cache"))


@pytest.fixture
def pins(tmp_path: Path) -> Callable[..., Path]:
    """pins("name==version", ...): a file of them."""

    def write(*lines: str) -> Path:
        (tmp_path / "pins.txt").write_text("\n".join(lines) + "\n")
        return tmp_path / "pins.txt"

    return write


@pytest.mark.usefixtures("alone")
def test_without_a_network_it_is_said_what_was_not_checked_and_nothing_fails(pins, monkeypatch, capsys):
    monkeypatch.setenv("PIP_AUDIT_OSV_URL", "http://127.0.0.1:9/v1/query")
    assert audit.main(pins("pillow==1.0", "numpy==2.0")) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[0] == "0 packages checked for known vulnerabilities, 0 found"
    assert said[1].startswith("Not checked: all")


@pytest.mark.usefixtures("alone")
def test_a_known_vulnerability_fails_until_it_is_accepted_with_a_reason(pins, osv, monkeypatch, capsys):
    monkeypatch.setenv("PIP_AUDIT_OSV_URL", osv)
    assert audit.main(pins("pillow==1.0", "numpy==2.0")) == 1
    said = capsys.readouterr().out
    assert "2 packages checked for known vulnerabilities, 1 found" in said
    assert "pillow 1.0: PYSEC-2026-1, mended in 2.0" in said
    assert "Not checked" not in said
    assert audit.main(pins("pillow==2.0", "numpy==2.0")) == 0
    found = audit.ask("osv", pins("pillow==1.0"))
    assert audit.faults(found, {"CVE-2026-1": "no picture of that kind is read"}) == []
    assert len(audit.faults(found, {"CVE-2026-2": "another"})) == 1


def test_what_is_accepted_has_a_reason():
    assert all(len(reason) > 20 for reason in audit.accepted().values())


def test_the_audit_reads_the_very_versions_that_are_installed():
    """Every package that a user installs is pinned, so that what is audited is what is there."""
    lines = audit.CONSTRAINTS.read_text().splitlines()
    pinned = {re.split(r"[=\s]", line)[0].lower().replace("_", "-").replace(".", "-") for line in lines}
    packages = installed.closure().keys() - {"kerascope", "setuptools"}  # setuptools comes with Python's own venv
    assert packages - pinned == set()


def test_it_runs_as_make_check_runs_it(tmp_path: Path):
    command = [sys.executable, "-m", "deploy.sbom", str(tmp_path / "sbom.json")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert "packages that its users install" in done.stdout
