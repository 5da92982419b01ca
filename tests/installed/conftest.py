"""The package as a stranger installs it: sdist and wheel are built, and each extra goes alone into a fresh environment.

built       a copy of the repository's files, with sdist and wheels made of it
stranger    stranger("dashboard"): who has that extra and nothing else; stranger("") has none
served      the embedded model server and the gateway of [serve], on a model that was pulled
phantoms    a folder with DICOM phantoms
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import venv
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from deploy import installed
from tests.installed.stranger import Stranger, free_port
from tests.waiting import until

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).parents[2]
TENSORFLOW = "tensorflow"  # an environment that is no extra: what [train] and [serve] both need
# What an environment is begun with: links to the files of one whose packages it needs, all of them, anyway.
BEGUN_WITH = {"train": TENSORFLOW, "serve": TENSORFLOW, "openvino": "serve", "onnx": "train"}


def call(*words: str | Path, cwd: Path | None = None) -> None:
    done = subprocess.run(list(map(os.fspath, words)), cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@dataclass(frozen=True)
class Built:
    """What was built.

    Attributes:
        source: a copy of the files that git knows or would add.
        sdist: of the source.
        wheel: of the sdist, which is installed everywhere.
        direct: a wheel of the source without the detour.
    """

    source: Path
    sdist: Path
    wheel: Path
    direct: Path


@pytest.fixture(scope="session")
def ground() -> Iterator[Path]:
    """Where all of it lies, some gigabytes, until the end."""
    with tempfile.TemporaryDirectory(prefix="kerascope installed ") as folder:
        yield Path(folder)


@pytest.fixture(scope="session")
def built(ground: Path) -> Built:
    folder = ground / "built"
    listed = subprocess.check_output(["git", "ls-files", "-z", "-c", "-o", "--exclude-standard"], cwd=ROOT, text=True)
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():
            (folder / "source" / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / "source" / name)
    call(sys.executable, "-m", "build", "--outdir", folder / "dist", folder / "source")
    call(sys.executable, "-m", "build", "--wheel", "--outdir", folder / "direct", folder / "source")
    (sdist,) = (folder / "dist").glob("*.tar.gz")
    (wheel,), (direct,) = (folder / "dist").glob("*.whl"), (folder / "direct").glob("*.whl")
    return Built(folder / "source", sdist, wheel, direct)


@pytest.fixture(scope="session")
def house(built: Built, ground: Path) -> Path:
    """A folder with a wheel of everything that any extra needs: nothing is downloaded twice."""
    folder = ground / "house"
    constraints = ROOT / "constraints.txt"
    everything = f"{built.wheel}[{','.join(installed.EXTRAS)}]"
    call(sys.executable, "-m", "pip", "wheel", "--quiet", "-c", constraints, "-w", folder, everything)
    return folder


@pytest.fixture(scope="session")
def environment(built: Built, house: Path, ground: Path) -> Callable[[str], Path]:
    """environment("serve"): a virtual environment with that extra and nothing else, made once."""
    made: dict[str, Path] = {}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["optional-dependencies"]

    def environment(extra: str) -> Path:
        if extra not in made:
            folder = ground / f"environment {extra}"
            venv.create(folder, symlinks=True, with_pip=False)
            if extra in BEGUN_WITH:
                before = Stranger(environment(BEGUN_WITH[extra]), folder).site
                ours = shutil.ignore_patterns("kerascope-*.dist-info")  # installed anew, with its command
                shutil.copytree(
                    before, Stranger(folder, folder).site, copy_function=os.link, ignore=ours, dirs_exist_ok=True
                )
            wanted = [str(built.wheel) + (f"[{extra}]" if extra else "")]
            if extra == TENSORFLOW:
                wanted = sorted({*project["train"]} & {*project["serve"]})
            pip = (sys.executable, "-m", "pip", "--python", folder / "bin" / "python", "install", "--quiet")
            call(*pip, "--no-index", "--no-compile", "--find-links", house, *wanted)
            made[extra] = folder
        return made[extra]

    return environment


@pytest.fixture(scope="session")
def stranger(environment: Callable[[str], Path], ground: Path) -> Callable[[str], Stranger]:
    def stranger(extra: str) -> Stranger:
        folder = ground / f"working folder {extra}"
        folder.mkdir(exist_ok=True)
        return Stranger(environment(extra), folder)

    return stranger


@pytest.fixture(scope="session")
def phantoms(ground: Path) -> Path:
    folder = ground / "phantoms"
    call(sys.executable, "-m", "kerascope", "data", "phantoms", folder, "--patients", "4", "--size", "256", cwd=ROOT)
    return folder / "images"


@dataclass(frozen=True)
class Served:
    """Where the two of [serve] answer, as host:port."""

    model_server: str
    gateway: str


@pytest.fixture(scope="session")
def served(stranger: Callable[[str], Stranger]) -> Iterator[Served]:
    engineer = stranger("serve")
    engineer.run("zoo", "pull", "phantoms")
    first, second = free_port(), free_port()
    where = Served(f"localhost:{first}", f"localhost:{second}")
    model = ("--model_name=phantoms", f"--model_base_path={engineer.folder / 'registry' / 'phantoms'}")
    ports = ("--model-server", where.model_server, "--port", str(second))
    with (
        engineer.serving("serve", f"--port={first}", *model, port=first),
        engineer.serving("gateway", "--insecure", *ports, port=second),
    ):
        status = ("models", "status", "phantoms", "--model_server", where.model_server)
        until(lambda: "AVAILABLE" in engineer.run(*status))
        yield where
