"""`python -m benchmarks.machines`, small: that a machine is played, that its outcome is told, and that it is kept."""

from __future__ import annotations

import json
import platform
from pathlib import Path

import pytest

from benchmarks import machines
from benchmarks.processors import MACHINES, chosen, onednn

SMALL = ["--patients", "40", "--size", "128", "--set", "image_size=48", "--set", "stage.2.epochs=1"]
PLAYED = {machine.name: machine for machine in MACHINES}


def test_each_machine_has_one_seed_the_default_three_and_on_request_all_have_three():
    usual = [machine.name for machine in chosen(None, every_seed=False)]
    assert usual == [*PLAYED, "default-seed-1", "default-seed-2"]
    assert len({machine.name for machine in chosen(None, every_seed=True)}) == 3 * len(MACHINES)
    assert [machine.seed for machine in chosen(["sse41-seed-2"], every_seed=False)] == [2]


@pytest.mark.slow
@pytest.mark.skipif(platform.machine() != "x86_64", reason="instruction sets of x86")
def test_the_settings_act_on_onednn():
    assert "SSE4.1; " in (said := onednn(PLAYED["sse41"]))
    assert "convolution: jit:sse41" in said
    assert "; 1 threads; " in onednn(PLAYED["one-thread"])
    assert "convolution: TensorFlow's own" in onednn(PLAYED["without-onednn"])


@pytest.mark.slow
def test_a_machine_is_played_once_and_its_outcome_told(tmp_path: Path, capsys):
    asked = ["--only", "sse41", "--out", str(tmp_path), *SMALL]
    assert machines.main(asked) == 0
    [outcome] = json.loads((tmp_path / "machines.json").read_text())
    assert (outcome["machine"], outcome["status"], outcome["refusal"]) == ("sse41", 0, "COLOUR")
    assert 0 < outcome["auroc"] <= 1
    assert outcome["test_images"] >= outcome["refused"]
    assert outcome["answer"]
    assert "COLOUR" in capsys.readouterr().out
    log = (tmp_path / "sse41.log").stat().st_mtime_ns
    assert machines.main(asked) == 0
    assert "has run, at revision" in capsys.readouterr().out
    assert (tmp_path / "sse41.log").stat().st_mtime_ns == log


@pytest.mark.slow
def test_a_demo_that_fails_is_told_and_is_the_status(tmp_path: Path, capsys):
    assert machines.main(["--only", "default", "--out", str(tmp_path), "--patients", "0"]) == 1
    [outcome] = json.loads((tmp_path / "machines.json").read_text())
    assert outcome["status"] == 1
    assert (outcome["auroc"], outcome["answer"], outcome["refusal"]) == (None, None, None)
    assert "ended with status 1" in outcome["message"]
