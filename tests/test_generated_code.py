"""The generated code is what the proto generates."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
FOLDER = "serving/proto/kerascope/v1"


def test_the_gateways_code_is_generated_from_its_proto(tmp_path):
    outs = [f"--{kind}_out={tmp_path}" for kind in ("python", "pyi", "grpc_python")]
    command = [sys.executable, "-m", "grpc_tools.protoc", "-I", ".", *outs, f"{FOLDER}/inference.proto"]
    subprocess.run(command, cwd=ROOT, check=True, timeout=60)
    generated = {path.name: path.read_text() for path in (tmp_path / FOLDER).iterdir()}
    kept = {path.name: path.read_text() for path in (ROOT / FOLDER).glob("inference_pb2*")}
    assert kept == generated, "The proto has changed: run `make proto` and commit what it writes."
