"""The generated code is what the protos generate."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize(
    "proto", ["serving/proto/kerascope/v1/inference.proto", "serving/proto/modelserver/files.proto"]
)
def test_the_code_is_generated_from_its_proto(tmp_path, proto):
    outs = [f"--{kind}_out={tmp_path}" for kind in ("python", "pyi", "grpc_python")]
    command = [sys.executable, "-m", "grpc_tools.protoc", "-I", ".", *outs, proto]
    subprocess.run(command, cwd=ROOT, check=True, timeout=60)
    folder, name = Path(proto).parent, Path(proto).stem
    generated = {path.name: path.read_text() for path in (tmp_path / folder).iterdir()}
    kept = {path.name: path.read_text() for path in (ROOT / folder).glob(f"{name}_pb2*")}
    assert kept == generated, "The proto has changed: run `make proto` and commit what it writes."
