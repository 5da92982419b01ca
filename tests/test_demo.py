"""`make demo`, small: the same script, fewer phantoms, one epoch."""

from __future__ import annotations

import csv
import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

pytestmark = pytest.mark.slow


@pytest.fixture
def second(small_demo) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A second `make demo`, serving; the process and what it printed up to then."""
    process = subprocess.Popen(small_demo.command(), stdout=subprocess.PIPE, text=True)
    printed = ""
    assert process.stdout is not None
    for line in process.stdout:
        printed += line
        if "Ctrl-C stops" in line:
            break
    yield process, printed
    process.kill()


def test_it_ends_with_a_finding_its_worth_and_where_to_look(small_demo):
    home, printed = small_demo.home, small_demo.printed
    summary = json.loads((home / "summary.json").read_text())
    assert set(summary["findings"]) == {"nodule", "consolidation", "effusion", "cardiomegaly", "pneumothorax"}
    assert {"auroc", "pointing_game"} <= set(summary["findings"]["effusion"])
    assert summary["analysed"]["leading"] in printed
    assert "never seen in training" in printed
    assert "Research use only" in printed
    for made in ("bundle", "report", "overlay"):
        assert Path(summary[made]).exists()
    assert Image.open(summary["overlay"]).size == (128, 128)


def test_the_sample_is_of_a_patient_never_trained_on(small_demo):
    home = small_demo.home
    run = home / "runs" / "phantoms"
    with (run / "split.csv").open() as table:
        seen = [(run / row["file"]).read_bytes() for row in csv.DictReader(table) if row["split"] == "train"]
    assert seen
    for sample in (home / "samples").iterdir():
        assert sample.read_bytes() not in seen


def test_a_second_run_reuses_everything_and_ctrl_c_stops_it_cleanly(second):
    process, printed = second
    assert "Using the bundle made before" in printed
    assert "1 of 4" not in printed
    ports = [int(port) for port in re.findall(r"(?:Dashboard|Gateway|Model server) .*localhost:(\d+)", printed)]
    assert len(ports) == 3
    children = subprocess.run(["pgrep", "-P", str(process.pid)], capture_output=True, text=True, check=False)
    pids = [int(pid) for pid in children.stdout.split()]
    assert len(pids) == 3
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=60) == 0
    assert not [pid for pid in pids if alive(pid)]


def alive(pid: int) -> bool:
    """Whether the process is still there a second after it should not be."""
    for _ in range(10):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return False
        time.sleep(0.1)
    return True
