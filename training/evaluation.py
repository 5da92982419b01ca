"""What an evaluation found: numbers only, as `evaluation/evaluation.json` of a run holds them."""

from __future__ import annotations

from pathlib import Path

from pydantic import ValidationError

from training.clinical import NetBenefit, PredictiveValues
from zoo import errors
from zoo.cards import (
    RESEARCH_USE_ONLY,
    Baseline,
    Calibration,
    Interval,
    Label,
    LabelMetrics,
    OperatingPoint,
    Record,
    Subgroup,
)
from zoo.reference import Gate

FOLDER = "evaluation"
FILE = f"{FOLDER}/evaluation.json"


class LabelResult(Record):
    """One label, measured.

    Attributes:
        operating_point: chosen on validation, measured on test; None where validation lacks an answer.
        counts: test images at the operating point, ((TN, FP), (FN, TP)).
        not_sure: share of the test images in the "not sure" zone.
        ece_before, ece_after: of this label's own probability against its presence, on test.
        decision_curve: net benefit at a few threshold probabilities (Vickers and Elkin 2006).
    """

    name: str
    operating_point: OperatingPoint | None
    metrics: LabelMetrics
    counts: tuple[tuple[int, int], tuple[int, int]] | None
    not_sure: float | None
    ece_before: float | None
    ece_after: float | None
    decision_curve: tuple[NetBenefit, ...] = ()


class Evaluation(Record):
    """A run's model on its test split.

    Attributes:
        run: name of the run.
        task: name of the task.
        model_sha256: of the run's `model.keras`; the evaluation is of these weights and no others.
        test_images, test_patients: what it was measured on.
        labels: in output order.
        macro_auroc: mean over the labels.
        accuracy: exclusive tasks: share of images whose leading label is right. Binary: share of right answers at the
            operating point. Multi-label: share of images with every known label right at its operating point.
        label_accuracy: multi-label only: share of right answers, mean over the labels.
        baseline: what the same answer for every image would score.
        kappa: ordinal tasks only: quadratic weighted kappa of the leading grade.
        confusion: exclusive tasks only: row is the true label, column the leading one.
        calibration: fitted on validation; its ece is of the test split (Guo et al. 2017, 15 bins).
        nll_before, nll_after: mean negative log likelihood on test, in nats.
        gate: fitted on training and validation, tried on test.
        subgroups: the same by age, sex, view and source, where the manifest has them.
        predictive_values: of each label's operating point, at the test split's prevalence and at those stated.
        cautions: what the reader should hold against the numbers, in sentences.
        replicates, seed: of the bootstrap over `grouped_by`.
    """

    run: str
    task: str
    model_sha256: str
    created: str
    test_images: int
    test_patients: int
    grouped_by: str
    labels: tuple[LabelResult, ...]
    macro_auroc: Interval
    accuracy: Interval
    label_accuracy: Interval | None = None
    baseline: Baseline | None = None
    kappa: Interval | None = None
    confusion: tuple[tuple[int, ...], ...] | None = None
    calibration: Calibration
    nll_before: float | None
    nll_after: float | None
    gate: Gate
    subgroups: tuple[Subgroup, ...] = ()
    predictive_values: tuple[PredictiveValues, ...] = ()
    cautions: tuple[str, ...] = ()
    replicates: int
    seed: int
    notice: str = RESEARCH_USE_ONLY

    @property
    def thresholds(self) -> list[float | None]:
        """Where "present" begins for each label; None where there is no operating point."""
        return [label.operating_point.threshold if label.operating_point else None for label in self.labels]

    @property
    def stated_prevalence(self) -> dict[str, float]:
        """The prevalences that somebody stated, by label."""
        return {found.label: found.prevalence for found in self.predictive_values if found.stated}

    @property
    def card_labels(self) -> tuple[Label, ...]:
        """The labels as the model card has them."""
        return tuple(
            Label(name=label.name, operating_point=label.operating_point, metrics=label.metrics)
            for label in self.labels
        )

    def write(self, folder: Path) -> None:
        """Writes `evaluation.json` into a run folder, whole or not at all."""
        path = folder / FILE
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_suffix(".tmp")
        draft.write_text(self.model_dump_json(indent=2), encoding="utf-8")
        draft.replace(path)

    @classmethod
    def read(cls, folder: Path) -> Evaluation:
        """Reads what `write` wrote.

        Raises:
            BadRun: there is none, or it is not readable.
        """
        path = folder / FILE
        try:
            return cls.model_validate_json(path.read_bytes())
        except (OSError, ValidationError):
            raise errors.BadRun(
                f"{path} is missing or unreadable. `kerascope evaluate {folder}` measures the run."
            ) from None
