import json

import numpy as np
import pytest

from training import calibrate, summary
from training.evaluation import Evaluation
from training.manifest import Manifest
from training.predictions import present
from training.scoring import right_answers
from training.summary import Seen
from zoo import errors
from zoo.cards import Calibration, InputSpec
from zoo.tasks import Kind, Task

pd = pytest.importorskip("pandas")
COVID = Task(name="three", question="Which?", labels=("a", "b", "c"), kind=Kind.MULTICLASS)
CHEST = Task(name="two", question="Which?", labels=("a", "b"), kind=Kind.MULTILABEL)


def seen(task: Task, truth: list[list[float]], probability: list[list[float]], *, grouped_by="patient_id") -> Seen:
    count, labels = len(truth), len(task.labels)
    test = Manifest(
        files=[],
        labels=np.array(truth, np.float32),
        groups=[str(i) for i in range(count)],
        masks={label: [None] * count for label in task.labels},
        splits=["test"] * count,
        frame=pd.DataFrame(index=range(count)),
        grouped_by=grouped_by,
    )
    chances = np.array(probability, np.float32)
    return Seen(
        task=task,
        spec=InputSpec(height=8, width=8, channels=1),
        test=test,
        pixels=np.zeros((count, 8, 8, 1), np.uint8),
        evidence=np.zeros((count, 2, 2, labels), np.float32),
        raw=chances,
        probability=chances,
    )


def test_accuracy_of_an_exclusive_task_is_that_of_the_leading_label():
    # Leading: a b b; true: a b c; the fourth is unknown.
    probability = [[0.8, 0.1, 0.1], [0.1, 0.8, 0.1], [0.1, 0.5, 0.4], [0.6, 0.2, 0.2]]
    truth = [[1, 0, 0], [0, 1, 0], [0, 0, 1], [np.nan] * 3]
    found = summary.numbers(seen(COVID, truth, probability), Calibration(), [None] * 3)
    assert found["accuracy"].value == pytest.approx(2 / 3)
    assert found["confusion"] == ((1, 0, 0), (0, 1, 0), (0, 1, 0))


def test_a_multilabel_image_is_right_only_with_every_known_label():
    # Thresholds 0.5. Image 1: both right. Image 2: a wrong. Image 3: a right, b unknown. Mean per image: 1, 1/2, 1.
    probability = np.array([[0.9, 0.1], [0.9, 0.9], [0.1, 0.9]])
    truth = np.array([[1, 0], [0, 1], [0, np.nan]])
    right = right_answers(present(probability, [0.5, 0.5]), truth)
    np.testing.assert_array_equal(right, [[1, 1], [0, 1], [1, np.nan]])
    found = summary._accuracy(seen(CHEST, truth.tolist(), probability.tolist()), [0.5, 0.5])
    assert found["accuracy"].value == pytest.approx(2 / 3)
    assert found["label_accuracy"].value == pytest.approx(2.5 / 3)


def test_few_patients_and_unnamed_patients_earn_a_caution():
    truth = [[1, 0], [0, 1]] * 6
    probability = [[0.9, 0.1], [0.1, 0.9]] * 6
    cautions = summary.numbers(seen(CHEST, truth, probability, grouped_by="image"), Calibration(), [None] * 2)[
        "cautions"
    ]
    assert any("names no patients" in text for text in cautions)
    assert any(text.startswith("a: only 6") for text in cautions)
    assert any("no operating point" in text for text in cautions)


@pytest.mark.slow
def test_the_test_split_is_measured_once(evaluated, capsys):
    from rich.console import Console

    from training.evaluate import evaluate

    earlier = Evaluation.read(evaluated.path)
    marked = earlier.model_copy(update={"created": "once"})
    marked.write(evaluated.path)
    console = Console(record=True)
    assert evaluate(evaluated, console=console) == marked
    assert "measured before" in console.export_text()
    earlier.write(evaluated.path)


@pytest.mark.slow
def test_other_weights_are_measured_anew(evaluated):
    from training.evaluate import previous

    earlier = Evaluation.read(evaluated.path)
    assert previous(evaluated) == earlier
    earlier.model_copy(update={"model_sha256": "0" * 64}).write(evaluated.path)
    assert previous(evaluated) is None
    earlier.write(evaluated.path)


@pytest.mark.slow
def test_numbers_on_disk_are_those_of_the_network(evaluated):
    # Worked out again without anything of ours but the calibration's formula: Keras and scikit-learn.
    from sklearn.metrics import roc_auc_score

    found, test = Evaluation.read(evaluated.path), evaluated.split("test")
    logits = evaluated.model().predict(evaluated.pixels("test").astype("float32"), verbose=0)
    probability = calibrate.probabilities(logits, found.calibration, evaluated.task.kind)
    for column, label in enumerate(found.labels):
        truth, given = test.labels[:, column], probability[:, column]
        assert label.metrics.auroc.value == pytest.approx(roc_auc_score(truth, given))
        assert label.operating_point is not None
        present = given >= label.operating_point.threshold
        assert label.metrics.sensitivity.value == pytest.approx(present[truth == 1].mean())
        assert label.metrics.specificity.value == pytest.approx(1 - present[truth == 0].mean())
        assert label.counts == tuple(
            tuple(int(((truth == t) & (present == p)).sum()) for p in (False, True)) for t in (0, 1)
        )


@pytest.mark.slow
def test_the_threshold_comes_from_validation_alone(evaluated):
    found = Evaluation.read(evaluated.path)
    logits = evaluated.model().predict(evaluated.pixels("val").astype("float32"), verbose=0)
    probability = calibrate.probabilities(logits, found.calibration, evaluated.task.kind)
    truth = evaluated.split("val").labels
    for column, label in enumerate(found.labels):
        assert label.operating_point is not None
        cuts = np.sort(np.concatenate([[0], probability[:, column], [1]]))
        middles = (cuts[1:] + cuts[:-1]) / 2
        youden = [
            ((probability[:, column] >= cut) == (truth[:, column] == 1))[truth[:, column] == 1].mean()
            + (probability[:, column] < cut)[truth[:, column] == 0].mean()
            for cut in middles
        ]
        assert label.operating_point.threshold == pytest.approx(middles[int(np.argmax(youden))], abs=1e-6)


@pytest.mark.slow
def test_the_gate_is_of_the_training_split_and_tried_on_the_test_split(evaluated):
    from zoo.models import classifier

    gate = Evaluation.read(evaluated.path).gate
    found = gate.embedding
    pooled = classifier.split_head(evaluated.model()).predict(evaluated.pixels("train").astype("float32"), verbose=0)
    assert found.images == len(pooled)
    np.testing.assert_allclose(found.mean, pooled.mean(axis=0), atol=1e-4)
    np.testing.assert_allclose(found.standard_deviation, pooled.std(axis=0), atol=1e-4)
    both = (evaluated.split("train"), evaluated.split("val"))
    assert gate.texture.limits.images == sum(map(len, both))
    assert gate.texture.limits.patients == len({group for split in both for group in split.groups})
    assert gate.tested.images == len(evaluated.split("test"))


@pytest.mark.slow
def test_the_pointing_game_counts_peaks_inside_masks(evaluated):
    found, test = Evaluation.read(evaluated.path), evaluated.split("test")
    for column, label in enumerate(found.labels):
        masked = [path is not None for path in test.masks[label.name]]
        assert label.metrics.pointing_images == sum(masked) == (test.labels[:, column] == 1).sum()
        assert label.metrics.pointing_game is not None
        hits = (label.metrics.pointing_game.value or 0) * sum(masked)
        assert hits == pytest.approx(round(hits))
        # The mask is a disc of radius under 8 in a picture of 64 x 64: at most pi * 64 / 4096 = 0.049.
        assert 0.03 < (label.metrics.pointing_mask_area or 0) < 0.05


@pytest.mark.slow
def test_an_unfinished_run_is_refused(evaluated, tmp_path):
    from training.evaluate import evaluate
    from training.runs import Run

    with pytest.raises(errors.BadRun, match="no run folder"):
        evaluate(Run(tmp_path / "nothing"))


@pytest.mark.slow
def test_the_json_holds_no_nan_and_reads_back_the_same(evaluated):
    text = (evaluated.path / "evaluation" / "evaluation.json").read_text()
    json.loads(text, parse_constant=lambda word: pytest.fail(f"{word} in the JSON"))
    assert Evaluation.model_validate_json(text).model_dump_json(indent=2) == text
