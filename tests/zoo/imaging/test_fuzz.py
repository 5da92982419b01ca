"""Broken files: each a picture or a typed refusal that names nobody. `python -m benchmarks.fuzz` breaks 100,000."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from benchmarks import fuzz, malformed


def test_a_broken_file_is_a_picture_or_a_typed_refusal_and_never_slow():
    rng = np.random.default_rng(0)
    files = malformed.seeds()
    outcomes = set()
    for number in range(1000):
        data = malformed.broken(files[number % len(files)], rng)
        began = time.process_time()
        outcomes.add(fuzz.outcome(data))
        assert time.process_time() - began < 5  # the bar of a hang, not a measurement
    assert not {each for each in outcomes if each.startswith("UNTYPED")}
    assert {"shown", "DAMAGED", "NOT_AN_IMAGE"} <= outcomes


def test_what_the_damage_is_done_to_is_shown():
    assert [fuzz.outcome(data) for data in malformed.made()] == ["shown"] * 6


def test_a_bomb_is_refused():
    assert fuzz.outcome(malformed.bomb(100)) == "TOO_LARGE"


def test_what_a_file_says_in_the_wrong_place_reaches_no_output(tmp_path: Path):
    data = malformed.made()[3].replace(b"ISO_IR 100", b"DOE^JANE  ").replace(b"CHEST ", b"DOE^J ")
    (tmp_path / "odd.dcm").write_bytes(data)
    code = f"from zoo.imaging.image import read; read(open({str(tmp_path / 'odd.dcm')!r}, 'rb').read())"
    done = subprocess.run([sys.executable, "-W", "default", "-c", code], capture_output=True, text=True, check=True)
    assert "DOE" not in done.stdout + done.stderr
