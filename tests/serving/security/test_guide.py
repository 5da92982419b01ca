"""docs/how-to/secure-the-gateway.md: its commands typed, and a gateway started with the files they make."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from serving.client import Client
from serving.server import create_server
from serving.settings import Settings
from tests.serving.hospital.peers import program
from tests.test_docs import DOCS, ROOT, blocks, commands
from zoo import errors

PAGE = DOCS / "how-to" / "secure-the-gateway.md"
FILES = {"ca.crt", "gateway.crt", "gateway.key", "token-secret", "dashboard-token", "node-token"}


@pytest.fixture(scope="module")
def followed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of secrets, as a reader has it."""
    program("openssl")
    folder = tmp_path_factory.mktemp("reader")
    paths = {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
    }
    for line in commands(PAGE):
        done = subprocess.run(
            ["bash", "-c", line], cwd=folder, env=os.environ | paths, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"$ {line}\n{done.stderr}"
    return folder / "secrets"


def test_what_the_guide_makes_secures_a_gateway(followed: Path, monkeypatch: pytest.MonkeyPatch):
    (example,) = [block.text for block in blocks(PAGE) if block.language == "python"]
    gateway = create_server(
        Settings(
            registry=followed / "none",
            port=0,
            tls_certificate=followed / "gateway.crt",
            tls_key=followed / "gateway.key",
            tls_client_ca=followed / "ca.crt",
            token_secret=followed / "token-secret",
        )
    )
    gateway.start()
    try:
        mine = {"tls_ca": followed / "ca.crt", "tls_certificate": followed / "gateway.crt"}
        mine |= {"tls_key": followed / "gateway.key"}
        with Client(gateway.address, token=followed / "dashboard-token", **mine) as client:
            assert client.models() == []
        with Client(gateway.address, token=followed / "ca.crt", **mine) as client, pytest.raises(errors.BadConfig):
            client.models()
        for name, path in mine.items():
            monkeypatch.setenv(f"KERASCOPE_{name.upper()}", str(path))
        monkeypatch.chdir(followed.parent)
        exec(compile(example.replace("localhost:50051", gateway.address), "example", "exec"), {})
        assert ready(gateway.address).returncode == 0
    finally:
        gateway.stop(0)
    assert ready(gateway.address).returncode == 1


def ready(address: str) -> subprocess.CompletedProcess[bytes]:
    """What a container's health check does, with the gateway's own environment."""
    command = [sys.executable, "-m", "kerascope", "gateway", "ready", "--gateway", address]
    return subprocess.run(command, cwd=ROOT, capture_output=True, timeout=60, check=False)


def test_the_guide_makes_the_files_that_the_composition_mounts(followed: Path):
    import yaml

    composed = yaml.safe_load((ROOT / "deploy" / "compose.yaml").read_text())
    assert set(composed["secrets"]) == FILES
    assert all((followed / name).is_file() for name in FILES)


def test_a_token_for_a_role_that_is_not_there_is_not_made(followed: Path):
    command = [sys.executable, "-m", "kerascope", "gateway", "token", "--subject", "x", "--role", "king"]
    command += ["--secret-file", str(followed / "token-secret")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert "No role is called 'king'. There are: system, clinician, engineer, admin." in done.stderr
