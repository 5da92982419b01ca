"""The layout holds: imports point one way, and what a client needs brings no TensorFlow with it."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MAY_IMPORT = {
    "zoo": {"zoo"},
    "training": {"training", "zoo"},
    "serving": {"serving", "zoo"},
    "dashboard": {"dashboard", "serving", "zoo"},
}
LIGHT = [
    "kerascope",
    "zoo.errors",
    "zoo.tasks",
    "zoo.cards",
    "zoo.results",
    "zoo.bundles",
    "zoo.imaging.image",
    "zoo.imaging.dicom",
    "zoo.imaging.preprocess",
    "zoo.imaging.gate",
    "zoo.imaging.overlay",
    "serving.client",
    "serving.predict",
    "serving.predict_many",
    "serving.hospital.node",
    "serving.hospital.pull",
    "serving.hospital.deidentify",
    "serving.store.store",
    "serving.hospital.report",
    "serving.hospital.results.filing",
    "dashboard",
    "dashboard.app",
    "dashboard.panels",
    "dashboard.launch",
]


def imported(path: Path) -> set[str]:
    """The modules a file imports anywhere, functions included."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
    return names


@pytest.mark.parametrize("package", MAY_IMPORT)
def test_imports_point_one_way(package):
    forbidden = MAY_IMPORT.keys() - MAY_IMPORT[package]
    for path in (ROOT / package).rglob("*.py"):
        found = {name.split(".")[0] for name in imported(path)} & forbidden
        assert not found, f"{path.relative_to(ROOT)} imports {', '.join(found)}"


def test_the_dashboard_knows_only_the_client_of_serving_and_its_export_the_results():
    for path in (ROOT / "dashboard").rglob("*.py"):
        reached = {name for name in imported(path) if name.split(".")[0] == "serving"}
        if path.name == "export.py":
            reached = {name for name in reached if not name.startswith("serving.hospital.results")}
        assert reached <= {"serving.client", "serving"}, f"{path.relative_to(ROOT)} imports {reached}"


def test_the_gateways_logic_knows_nothing_of_grpc():
    assert not {name for name in imported(ROOT / "serving" / "service.py") if name.split(".")[0] == "grpc"}


@pytest.mark.parametrize("module", LIGHT)
def test_what_a_client_imports_brings_no_tensorflow(module):
    code = f"import sys, {module}; sys.exit(str(sorted({{'tensorflow', 'keras'}} & sys.modules.keys()) or ''))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert done.stderr.strip() in ("", "[]"), done.stderr


def test_a_client_needs_no_database():
    code = "import sys, serving.client; sys.exit('sqlalchemy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], timeout=60, check=False).returncode == 0
