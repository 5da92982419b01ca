"""One process a run."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from training.claim import alone, claim
from training.config import RunConfig
from training.runs import Run
from zoo import errors

ROOT = Path(__file__).parents[2]
HOLD = (
    "import sys; from pathlib import Path; from training.claim import alone; from training.runs import Run\n"
    "with alone(Run(Path(sys.argv[1]))):\n    print('held', flush=True)\n    sys.stdin.read()"
)


def test_a_second_process_is_locked_out_until_the_first_ends_however_it_ends(tmp_path: Path) -> None:
    run = Run(tmp_path / "runs" / "tiny")
    command = [sys.executable, "-c", HOLD, str(run.path)]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        with pytest.raises(errors.BadRun, match=r"Another process is training .*tiny now.*--set name="), alone(run):
            pass
        other.kill()
    with alone(run):
        assert (tmp_path / "runs" / ".tiny.lock").is_file()
    assert not list((tmp_path / "runs").iterdir())


def test_a_lock_is_given_back_when_training_fails(tmp_path: Path) -> None:
    run = Run(tmp_path / "tiny")
    with pytest.raises(RuntimeError), alone(run):
        raise RuntimeError
    with alone(run):
        pass


def test_a_run_that_was_refused_before_its_images_were_split_may_be_begun_otherwise(tmp_path: Path) -> None:
    run = Run(tmp_path / "tiny")
    values = {
        "name": "tiny",
        "task": "phantom-chest",
        "manifest": "none.csv",
        "backbone": "small-cnn",
        "image_size": 64,
        "stage": [{"epochs": 1}],
    }
    first, second = (RunConfig.parse(values | {"seed": seed}, source="test") for seed in (0, 1))
    claim(run, first)
    claim(run, second)
    assert run.config.seed == 1
    (run.path / "split.csv").touch()
    with pytest.raises(errors.BadRun, match="another configuration: seed"):
        claim(run, first)
