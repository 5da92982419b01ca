"""Which extra a command needs: named where it is missing, and enough where it is there."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest
from packaging.utils import canonicalize_name

from deploy import installed
from tests.light import environment
from zoo import errors, extras

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).parents[1]
PACKAGES = ("zoo", "training", "serving", "dashboard")
# The core's modules by distribution, where the names differ; `zoo.extras` need not know them, for none is ever missing.
CORE = {
    "PIL": "pillow",
    "gdcm": "python-gdcm",
    "google": "protobuf",
    "grpc": "grpcio",
    "grpc_health": "grpcio-health-checking",
}
NEEDS = {
    "train training/configs/phantoms.toml": "train",
    "evaluate runs/x": "train",
    "export runs/x": "train",
    "export runs/x --format onnx": "onnx",
    "data phantoms out": "train",
    "explain maps x --images y --out z": "train",
    "features filters x --out y": "train",
    "serve --model_base_path=/x": "serve",
    "gateway --insecure": "serve",
    "gateway token --secret-file x --subject x --role system": "serve",
    "deploy render --out x": "serve",
    "bench serve --model x --plot x.png": "train",
    "dashboard": "dashboard",
    "dicom-node x.toml": "hospital",
    "deidentify x --out y --secret z": "hospital",
    "report x.dcm --model x": "hospital",
    "store show --store sqlite:///x.db": "hospital",
}
LIGHT = [
    "zoo list",
    "zoo tasks",
    "zoo backbones",
    "gateway ready --gateway localhost:1",
    "doctor --json",
    "--help",
    "--version",
]


@pytest.fixture(scope="module")
def core(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of an environment without extras."""
    return environment(tmp_path_factory.mktemp("core"))


def kerascope(python: Path, *words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return run(python, "-m", "kerascope", *words, cwd=cwd)


def run(python: Path, *words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [str(python), *words]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=120, check=False)


@pytest.mark.parametrize(("words", "extra"), NEEDS.items())
def test_a_command_says_which_extra_it_needs(core, tmp_path, words, extra):
    done = kerascope(core, *words.split(), cwd=tmp_path)
    assert done.returncode == 1, done.stderr
    assert done.stderr.startswith(f"kerascope: `kerascope {words.split()[0]}")
    assert done.stderr.endswith(f"which is not installed. Install it: pip install 'kerascope[{extra}]'\n")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("words", LIGHT)
def test_the_core_has_commands_of_its_own(core, tmp_path, words):
    done = kerascope(core, *words.split(), cwd=tmp_path)
    assert "not installed" not in done.stderr
    assert "Traceback" not in done.stderr


def test_every_command_explains_itself_without_extras(core, tmp_path):
    code = (
        "import kerascope, typer\n"
        "def walk(command, path):\n"
        "    context = typer.Context(command, info_name='x')\n"
        "    assert command.get_help(context), path\n"
        "    print(path)\n"
        "    for name, below in getattr(command, 'commands', {}).items():\n"
        "        walk(below, f'{path} {name}')\n"
        "walk(typer.main.get_command(kerascope.app), 'kerascope')\n"
    )
    done = run(core, "-c", code, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "kerascope deploy render" in done.stdout.splitlines()


@pytest.mark.parametrize("extra", ["", "dashboard", "hospital"])
def test_what_is_light_brings_no_tensorflow(extra):
    assert not {"tensorflow", "keras"} & installed.closure("kerascope", tuple(filter(None, [extra]))).keys()


def test_the_dashboards_extra_is_enough_for_the_dashboard(tmp_path):
    python = environment(tmp_path / "environment", "dashboard")
    code = "import dashboard.app, sys; assert not {'tensorflow', 'keras'} & sys.modules.keys()"
    done = run(python, "-c", code, cwd=tmp_path)
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_a_gateway_without_the_trainers_extra_explains(tmp_path):
    python = environment(tmp_path / "environment", "serve")
    code = "from serving.explainer import explain_job; from zoo.explain import methods; print(*methods.METHODS)"
    done = run(python, "-c", code, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "grad-cam" in done.stdout


@pytest.mark.parametrize(
    ("module", "asking", "extra"),
    [
        ("tensorflow", "serving.commands", "serve"),
        ("tensorflow", "training.commands.fit", "train"),
        ("tensorflow", "zoo.commands", "train"),
        ("jwt", "serving.security.commands", "serve"),
        ("jwt", "serving.hospital.commands", "hospital"),
    ],
)
def test_of_several_extras_that_bring_a_package_the_commands_own_is_named(monkeypatch, module, asking, extra):
    monkeypatch.setattr(extras, "find_spec", lambda _: None)
    with pytest.raises(errors.MissingExtra, match=rf"`kerascope x` needs {module}, .* 'kerascope\[{extra}\]'$"):
        extras.need(module, "`kerascope x`", asking)


@pytest.mark.parametrize("name", ["nonesuch", "numpy.nonesuch", "tensorflow.nonesuch", None])
def test_any_other_failed_import_stays_a_bug(name):
    assert extras.missing(ModuleNotFoundError("No module", name=name), "`kerascope x`") is None


def test_a_bug_keeps_its_traceback():
    code = "import kerascope; kerascope.app = lambda: __import__('nonesuch'); kerascope.main()"
    done = run(Path(sys.executable), "-c", code, cwd=ROOT)
    assert "Traceback" in done.stderr
    assert "ModuleNotFoundError: No module named 'nonesuch'" in done.stderr


def test_what_is_imported_is_declared():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    lists = [project["dependencies"], *project["optional-dependencies"].values()]
    declared = {canonicalize_name(re.split(r"[^\w.-]", requirement)[0]) for each in lists for requirement in each}
    for path in (path for package in PACKAGES for path in (ROOT / package).rglob("*.py")):
        for module in third_party(path):
            name = CORE.get(module) or extras.DISTRIBUTIONS.get(module, module)
            assert canonicalize_name(name) in declared, f"{path.relative_to(ROOT)} imports {module}"


def third_party(path: Path) -> set[str]:
    """The top-level modules of others that a file imports anywhere."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.partition(".")[0])
    return found - sys.stdlib_module_names - {*PACKAGES, "kerascope"}
