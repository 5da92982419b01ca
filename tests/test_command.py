"""The command: quick to help, and a mistake ends in one line that says what to do."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def kerascope(*arguments: str, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "kerascope", *arguments]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=120, check=False)


def test_help_names_every_command_and_loads_nothing_heavy():
    code = "import sys, kerascope\ntry: kerascope.main()\nexcept SystemExit: pass\nprint(sorted(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", code, "--help"], capture_output=True, text=True, timeout=60, check=True
    )
    for command in ("train", "evaluate", "export", "serve", "gateway", "predict", "dashboard", "data", "zoo"):
        assert f"\n  {command} " in done.stdout
    for heavy in ("tensorflow", "keras", "numpy", "pandas", "grpc", "streamlit", "pydantic", "rich"):
        assert f"'{heavy}'" not in done.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["train", "nowhere.toml"], "nowhere.toml"),
        (["evaluate", "nowhere"], "nowhere"),
        (["export", "nowhere"], "nowhere"),
        (["predict", "nowhere.dcm", "--model", "x", "--gateway", "localhost:1"], "nowhere.dcm"),
        (["zoo", "show", "chest", "--registry", "nowhere"], "No model is called 'chest'"),
        (["data", "medmnist", "nowhere.npz", "out"], "nowhere.npz"),
    ],
)
@pytest.mark.slow
def test_a_mistake_ends_in_one_clear_line(arguments, said, tmp_path):
    done = kerascope(*arguments, cwd=tmp_path)
    assert done.returncode == 1
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("kerascope: ")


def test_a_misspelt_flag_is_named():
    done = kerascope("serve", "--modle_name", "x")
    assert done.returncode == 2
    assert "--modle_name" in done.stderr


def test_an_empty_registry_lists_nothing_and_says_where_it_looked(tmp_path):
    done = kerascope("zoo", "list", "--registry", str(tmp_path))
    assert done.returncode == 0
    assert "0 in" in done.stdout


def test_the_tasks_are_listed():
    assert "phantom-chest" in kerascope("zoo", "tasks").stdout
