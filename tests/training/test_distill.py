"""Distillation: the distance from the teacher by hand, and a student that ends near its teacher."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from tests.training import blobs
from training.config import RunConfig
from training.runs import Run
from zoo import errors

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pictures, and a teacher whose logits are a little off the truth: the probe's."""
    from training.finetune import train

    folder = tmp_path_factory.mktemp("distill")
    blobs.write(folder)
    train(RunConfig.load(folder / "tiny.toml", ["name=teacher", "stage=[{epochs = 30}]"]), runs=folder / "runs")
    return folder


def test_the_distance_from_the_teacher_by_hand() -> None:
    from training import distill

    # Softmax, T = 2: teacher's logits 2 ln 3, 0 are 3/4, 1/4; the student's are 1/2, 1/2.
    # 4 * (3/4 ln(3/2) + 1/4 ln(1/2)) = 3 ln 1.5 - ln 2.
    teacher, student = np.array([[2 * np.log(3), 0]], np.float32), np.array([[1.0, 1.0]], np.float32)
    soft = distill.soft_answers(2.0, exclusive=True)
    assert float(soft.compute_loss(teacher, student)) == pytest.approx(3 * np.log(1.5) - np.log(2), abs=1e-5)
    # Sigmoids, T = 2: q = 3/4, p = 1/2 for the first label, the same as above; q = 1/2, p = sigmoid(1/2) for the other.
    p = 1 / (1 + np.exp(-0.5))
    other = 0.5 * np.log(0.5 / p) + 0.5 * np.log(0.5 / (1 - p))
    each = distill.soft_answers(2.0, exclusive=False)
    found = float(each.compute_loss(teacher, np.array([[0.0, 1.0]], np.float32)))
    assert found == pytest.approx((3 * np.log(1.5) - np.log(2) + 4 * other) / 2, abs=1e-5)
    assert float(each.compute_loss(teacher, teacher)) == pytest.approx(0, abs=1e-6)


def test_the_student_is_an_ordinary_run_that_moves_towards_its_teacher_and_goes_on_after_a_stop(home: Path) -> None:
    from training.finetune import train

    changes = [f"distill.teacher={home / 'runs' / 'teacher'}", "distill.share=1.0", "stage.2.epochs=2", "seed=3"]
    changes += ["stage.2.penalty_l2=1e-5", "augment.noise=0", "dropout=0"]

    class Stopping(Console):
        def print(self, *objects: object, **how: object) -> None:  # type: ignore[override]
            if "epoch 1:" in str(objects):
                raise KeyboardInterrupt

    settings = RunConfig.load(home / "tiny.toml", changes)
    whole = train(settings, runs=home / "whole")
    with pytest.raises(KeyboardInterrupt):
        train(settings, runs=home / "stopped", console=Stopping(file=io.StringIO()))
    stopped = train(settings, runs=home / "stopped")
    weights = [run.model().get_weights() for run in (whole, stopped)]
    assert all(np.array_equal(a, b) for a, b in zip(*weights, strict=True))
    losses = [float(row.split(",")[2]) for row in (whole.path / "history.csv").read_text().splitlines()[1:]]
    assert losses[1] < losses[0]
    assert Run(whole.path).config.distill.temperature == 3  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ('task_definition.labels=["left", "right"]', "answers left, bright; this run left, right"),
        ("image_size=48", "takes 32 x 32 x 1, this run 48 x 48 x 1"),
        ("distill.teacher=nowhere", "neither a run folder nor a bundle"),
    ],
)
def test_a_teacher_that_cannot_teach_is_refused(home: Path, change: str, said: str) -> None:
    from training import distill

    settings = RunConfig.load(home / "tiny.toml", [f"distill.teacher={home / 'runs' / 'teacher'}", change])
    with pytest.raises(errors.BadConfig, match=said):
        distill.teacher(settings)


def test_several_teach_by_the_mean_of_their_logits(home: Path) -> None:
    from training import distill
    from training.finetune import train

    other = train(
        RunConfig.load(home / "tiny.toml", ["name=other", "stage=[{epochs = 3}]", "seed=5"]), runs=home / "runs"
    )
    first = home / "runs" / "teacher"
    settings = RunConfig.load(home / "tiny.toml", [f'distill.teacher=["{first}", "{other.path}"]'])
    pictures = np.random.default_rng(0).uniform(0, 255, (4, 32, 32, 1)).astype(np.float32)
    alone = [np.asarray(Run(path).model()(pictures)) for path in (first, other.path)]
    assert not np.allclose(*alone, atol=0.01)
    together = distill.teacher(settings)
    assert together is not None
    assert not together.trainable_variables
    np.testing.assert_allclose(np.asarray(together(pictures)), np.mean(alone, axis=0), atol=1e-5)


def test_a_bundle_can_teach(home: Path, registry: Path) -> None:
    from tests.conftest import TINY
    from training import distill, initial

    changes = ["distill.teacher=bundle:" + TINY, "task=phantom-chest", "image_size=64"]
    text = (home / "tiny.toml").read_text()
    (home / "chest.toml").write_text(text[: text.index("[task_definition]")] + text[text.index("[[stage]]") :])
    found = distill.teacher(initial.resolve(RunConfig.load(home / "chest.toml", changes), registry))
    assert found is not None
    assert not found.trainable_variables
