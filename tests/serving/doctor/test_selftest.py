"""The self-test passes here, and tells what is broken; its stored files are what the code makes today."""

from __future__ import annotations

import json
import os
import resource
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from serving.doctor import known, make, tested
from serving.doctor.checks import State
from serving.doctor.known import Known
from serving.doctor.selftest import STEPS
from zoo.bundles import Bundle
from zoo.imaging.overlay import encode_png

ROOT = Path(__file__).parents[3]


def doctor(*arguments: str, cwd: Path, code: str = "", **variables: str) -> subprocess.CompletedProcess[str]:
    """`kerascope doctor` in an environment that holds nothing but these variables."""
    code = f"{code}\nimport kerascope; kerascope.main()"
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), **variables}
    command = [sys.executable, "-c", code, "doctor", *arguments]
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=300, check=False)


def computed_s() -> float:
    """Processor time of the processes that were started and have ended; it does not hang on what else runs."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    return shutil.copytree(known.HERE, tmp_path / "known")


@pytest.mark.slow
def test_without_a_home_and_in_the_locale_of_c_every_step_is_well_and_no_path_is_shown(tmp_path):
    began = computed_s()
    done = doctor("--json", cwd=tmp_path, LC_ALL="C", KERAS_HOME=str(tmp_path / "keras"))
    assert done.returncode == 0, done.stdout + done.stderr
    said = json.loads(done.stdout)
    states = {check["name"]: check["state"] for check in said["checks"] if check["part"] == "self-test"}
    assert states == dict.fromkeys(STEPS, "ok")
    assert said["well"]
    assert str(tmp_path) not in done.stdout
    assert str(ROOT) not in done.stdout
    assert computed_s() - began < 30


def test_without_tensorflow_it_is_well_and_says_what_it_could_not_test(tmp_path):
    block = "import sys; sys.modules['tensorflow'] = None; sys.modules['tensorflow_serving'] = None"
    done = doctor(cwd=tmp_path, code=block, PYTHONIOENCODING="ascii")
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("not tested") == len(STEPS) + 2  # a line of each, their number, and the closing line
    assert "not tested: TensorFlow, SavedModel" in done.stdout
    assert "pip install 'kerascope[serve]'" in done.stdout


@pytest.mark.slow
def test_a_damaged_answer_is_told(copy):
    answers = json.loads((copy / known.ANSWERS).read_text())
    answers["evidence"][3][4][1] += 1e-3
    (copy / known.ANSWERS).write_text(json.dumps(answers))
    first, *others = tested.selftest(copy)
    assert first.state is State.OK
    assert [check.state for check in others] == [State.WRONG] * 3
    assert all("allowed is 1e-04" in check.found for check in others)
    assert all("oneDNN" in check.fix for check in others)


@pytest.mark.parametrize("name", [known.BUNDLE, known.IMAGE, known.ANSWERS])
@pytest.mark.parametrize("spoil", [Path.unlink, lambda path: path.write_bytes(path.read_bytes()[:300])])
def test_an_incomplete_installation_is_told_with_the_file_and_nothing_is_tested(copy, name, spoil):
    spoil(copy / name)
    first, *others = tested.selftest(copy)
    assert first.state is State.WRONG
    assert name in first.found
    assert "Install Kerascope again" in first.fix
    assert [check.state for check in others] == [State.NOT_TESTED] * len(STEPS)


def test_a_self_test_that_does_not_end_is_stopped():
    first, *others = tested.selftest(longest_s=0.05)
    assert first.state is State.WRONG
    assert "did not end" in first.found
    assert {check.state for check in others} == {State.NOT_TESTED}


def test_a_process_that_the_processor_ended_is_told():
    found, fix = tested.death(-4, "")
    assert "SIGILL" in found
    assert "AVX" in fix


def test_an_answer_that_is_missing_misshapen_or_not_a_number_is_infinitely_far():
    stored = Known().answers
    assert Known().difference(stored) == 0
    for wrong in ({}, stored | {"logit": stored["logit"][:1]}, stored | {"logit": np.float32([np.nan, 0])}):
        assert Known().difference(wrong) == np.inf


def test_the_stored_image_is_the_one_that_the_code_draws():
    assert Known().image == encode_png(make.pixels())


def files(bundle: Bundle) -> set[Path]:
    return {path.relative_to(bundle.path) for path in bundle.path.rglob("*") if path.is_file()}


@pytest.mark.slow
def test_the_stored_bundle_is_the_one_that_the_code_exports(tmp_path):
    from serving.doctor.selftest import saved_model_answers

    stored = Known().unpack(tmp_path / "stored")
    (tmp_path / "made").mkdir()
    made = make.export(tmp_path / "made")
    assert stored.card.model_dump(exclude={"weights_sha256"}) == made.card.model_dump(exclude={"weights_sha256"}), (
        "The format has changed: python -m serving.doctor.make"
    )
    assert files(stored) == files(made)
    assert Known().difference(saved_model_answers(made, make.pixels())) < known.TOLERANCE


def test_what_is_shipped_is_small():
    assert sum(path.stat().st_size for path in known.HERE.iterdir()) < 100_000
