"""The example clients in three languages ask a real gateway, and say the same."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from serving.client import Client
from tests.serving.conftest import dicom, picture, scene
from tests.serving.conftest import unusual as unusual  # a fixture

pytestmark = pytest.mark.slow

CLIENTS = Path(__file__).parents[1] / "examples" / "clients"
TINY = "tiny-chest"
# What compiles each, and a file of a library that Debian has apart from it.
NEEDS = {
    "java": (("javac", "protoc", "grpc_java_plugin"), "/usr/share/java/grpc-netty.jar"),
    "go": (("go", "protoc", "protoc-gen-go", "protoc-gen-go-grpc"), "/usr/share/gocode/src/google.golang.org/grpc"),
}

Ask = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="module", params=["python", "java", "go"])
def ask(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Ask:
    """ask(address, model, *files): the example of one language, compiled where it must be."""
    command = [sys.executable, str(CLIENTS / "python" / "findings.py")]
    if request.param in NEEDS:
        programs, library = NEEDS[request.param]
        missing = [name for name in programs if not shutil.which(name)] + [library] * (not Path(library).exists())
        if missing:
            pytest.skip(
                f"{missing[0]} is not on this machine; examples/clients/{request.param}/build says what to install"
            )
        out = tmp_path_factory.mktemp(request.param)
        build = [str(CLIENTS / request.param / "build"), str(out)]
        done = subprocess.run(build, capture_output=True, text=True, timeout=600, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        command = [str(out / "findings")]
    environment = os.environ | {"PYTHONPATH": str(CLIENTS.parents[1])}

    def asked(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*command, *arguments], capture_output=True, text=True, timeout=120, env=environment, check=False
        )

    return asked


def lines(client: Client, file: Path) -> list[str]:
    """What an example should say of a file."""
    analysis = client.analyze(file.read_bytes(), model=TINY)
    caution = [f"{file}: {analysis.caution.message}"] if analysis.caution else []
    findings = analysis.findings
    return [*caution, *(f"{file}: {each.label} {each.probability:.3f} {each.verdict.value}" for each in findings)]


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    """A picture, a larger one of more than one chunk, and a CT, which the model was not made for."""
    contents = (picture("PNG", scene(1)), picture("PNG", scene(2)) + bytes(3 << 20), dicom(scene(3), Modality="CT"))
    made = [tmp_path / f"{number}.bin" for number in range(len(contents))]
    for path, content in zip(made, contents, strict=True):
        path.write_bytes(content)
    return made


def test_one_file_has_its_findings_and_the_notice(ask: Ask, gateway, client: Client, files: list[Path]):
    done = ask(gateway.address, TINY, str(files[0]))
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[:-1] == lines(client, files[0])
    assert "Research use only" in done.stdout


def test_the_caution_is_said_before_the_findings(ask: Ask, gateway, client: Client, files: list[Path], unusual):
    done = ask(gateway.address, TINY, str(files[0]))
    assert done.stdout.splitlines()[0] == f"{files[0]}: {unusual.message}"
    assert done.stdout.splitlines()[:-1] == lines(client, files[0])


def test_several_files_go_on_one_stream(ask: Ask, gateway, client: Client, files: list[Path]):
    done = ask(gateway.address, TINY, *map(str, files))
    assert done.returncode == 0, done.stderr
    said = done.stdout.splitlines()
    (refused,) = [line for line in said if line.startswith(str(files[2]))]
    assert "ImageRefused" in refused
    others = [*lines(client, files[0]), *lines(client, files[1])]
    assert sorted(said[:-1]) == sorted([refused, *others])
    assert "Research use only" in said[-1]


def test_what_went_wrong_is_said_and_the_status_is_not_0(ask: Ask, gateway, files: list[Path]):
    for arguments, words in ((("none", str(files[0])), "No model is called"), ((TINY, str(files[2])), "CT")):
        done = ask(gateway.address, *arguments)
        assert done.returncode == 1
        assert words in done.stderr
