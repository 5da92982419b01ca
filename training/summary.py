"""From probabilities and truth on the test split to the numbers of an `Evaluation`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from training import agreement, calibrate, clinical, metrics, pointing, scoring
from training.evaluation import Evaluation, LabelResult
from training.manifest import Manifest
from training.operating import Choice
from training.predictions import Predictions, present
from training.runs import Run
from zoo.cards import Calibration, InputSpec, LabelMetrics, OperatingPoint
from zoo.reference_set import ReferenceSet
from zoo.tasks import Task

FloatArray = npt.NDArray[np.floating]
SEED = scoring.SEED
FEW = 10  # fewer patients than this with a label, or without it, earn a caution


@dataclass(frozen=True, kw_only=True, eq=False)
class Seen:
    """The test split as the model saw it: N images, L labels.

    Attributes:
        task: the question.
        spec: what the network takes.
        test: the images.
        pixels: as the network took them, uint8 [N, H, W, C].
        evidence: [N, h, w, L].
        raw: probabilities before calibration, [N, L].
        probability: after it.
    """

    task: Task
    spec: InputSpec
    test: Manifest
    pixels: npt.NDArray[np.uint8]
    evidence: npt.NDArray[np.float32]
    raw: FloatArray
    probability: FloatArray


@dataclass(frozen=True, kw_only=True, eq=False)
class Measured:
    """All that the report draws from.

    Attributes:
        run: the run.
        evaluation: its numbers.
        seen: the test split as the model saw it.
        predictions: image by image, of `test` and `val`.
        reference_set: the test split for the bundle; None where it is too small.
    """

    run: Run
    evaluation: Evaluation
    seen: Seen
    predictions: dict[str, Predictions]
    reference_set: ReferenceSet | None


def numbers(seen: Seen, fitted: Calibration, choices: Sequence[Choice | None]) -> dict[str, Any]:
    """Every field of an `Evaluation` that the test split decides."""
    test, exclusive = seen.test, seen.task.kind.exclusive
    thresholds = [choice.threshold if choice else None for choice in choices]
    records, macro = metrics.measure(seen.probability, test.labels, test.groups, thresholds, seed=SEED)
    labels = tuple(_label(seen, index, record, choices[index]) for index, record in enumerate(records))
    both = (seen.raw, seen.probability)
    before, after = (calibrate.expected_calibration_error(p, test.labels, exclusive=exclusive) for p in both)
    calibration = fitted.model_copy(update={"ece_before": before, "ece_after": after})
    nll = [calibrate.log_loss(p, test.labels, exclusive=exclusive) for p in both]
    return {
        "test_images": len(test),
        "test_patients": len(set(test.groups)),
        "grouped_by": test.grouped_by,
        "labels": labels,
        "macro_auroc": macro,
        "calibration": calibration,
        "nll_before": nll[0],
        "nll_after": nll[1],
        "cautions": tuple(_cautions(test, labels, calibration)),
        "replicates": metrics.REPLICATES,
        "seed": SEED,
        "baseline": agreement.baseline(seen.task, test.labels),
        **_accuracy(seen, thresholds),
    }


def _label(seen: Seen, index: int, record: LabelMetrics, choice: Choice | None) -> LabelResult:
    truth, probability = seen.test.labels[:, index], seen.probability[:, index]
    name, evidence = seen.task.labels[index], seen.evidence[..., index]
    record = pointing.play(record, evidence, truth, seen.test.masks[name], seen.test.groups, seen.spec, seed=SEED)
    before, after = (
        calibrate.expected_calibration_error(p[:, [index]], truth[:, None], exclusive=False)
        for p in (seen.raw, seen.probability)
    )
    return LabelResult(
        name=name,
        operating_point=_point(record, choice),
        metrics=record,
        counts=_counts(probability, truth, choice.threshold) if choice else None,
        not_sure=_share_within(probability, choice.not_sure) if choice else None,
        ece_before=before,
        ece_after=after,
        decision_curve=clinical.net_benefit(probability, truth, clinical.LISTED),
    )


def _point(record: LabelMetrics, choice: Choice | None) -> OperatingPoint | None:
    if choice is None:
        return None
    return OperatingPoint(
        threshold=choice.threshold,
        not_sure=choice.not_sure,
        chosen_by=choice.chosen_by,
        sensitivity=record.sensitivity,
        specificity=record.specificity,
    )


def _counts(probability: FloatArray, truth: FloatArray, threshold: float) -> Any:
    """((TN, FP), (FN, TP)) of the images of known truth."""
    known = np.isfinite(truth)
    return metrics.confusion(truth[known].astype(int), (probability[known] >= threshold).astype(int), 2)


def _share_within(probability: FloatArray, zone: tuple[float, float]) -> float:
    low, high = zone
    return float(((probability >= low) & (probability <= high)).mean()) if low < high else 0.0


def _accuracy(seen: Seen, thresholds: Sequence[float | None]) -> dict[str, Any]:
    """`accuracy` and what goes with it, as `Evaluation` defines them."""
    answers = present(seen.probability, thresholds)
    return scoring.accuracies(seen.probability, answers, seen.test.labels, seen.test.groups, seen.task.kind)


def _cautions(test: Manifest, labels: Sequence[LabelResult], calibration: Calibration) -> Iterator[str]:
    """What the reader should hold against the numbers."""
    if not test.grouped_by.startswith("patient"):
        yield (
            f"The manifest names no patients; the splits are kept apart by {test.grouped_by}. Pictures of one patient "
            "may lie in training and in test, which flatters every number and makes the intervals too narrow."
        )
    for column, label in enumerate(labels):
        yield from _about(label, test, test.labels[:, column])
    before, after = calibration.ece_before, calibration.ece_after
    if before is not None and after is not None and after > before + 0.005:
        yield (
            f"Calibration, fitted on validation, did not help on the test split: ECE {before:.3f} before, {after:.3f} "
            "after. The validation split may be too small."
        )


def _about(label: LabelResult, test: Manifest, truth: FloatArray) -> Iterator[str]:
    for holds, words in ((1, "with"), (0, "without")):
        count = metrics.patients(test.groups, truth == holds)
        if count < FEW:
            yield f"{label.name}: only {count} {_unit(test)} {words} it in the test split; its numbers are rough."
    low = label.metrics.auroc.low
    if low is not None and low <= 0.5:
        yield f"{label.name}: the interval of its AUROC reaches 0.5, so it is not told apart from guessing."
    if label.operating_point is None:
        yield f"{label.name}: validation lacks images with it or without it, so it has no operating point."


def _unit(test: Manifest) -> str:
    return "patients" if test.grouped_by.startswith("patient") else "groups of images"
