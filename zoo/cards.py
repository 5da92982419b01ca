"""The model card: all that the user, the server and the trainer must agree on, as one JSON file in the bundle."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError, model_validator

from zoo import errors
from zoo.measures import Baseline, Interval, Record, Subgroup
from zoo.reference import Gate, of_older_card
from zoo.reliability import MethodReliability
from zoo.tasks import Kind

RESEARCH_USE_ONLY = "Research use only. Not a medical device; not for diagnosis or treatment."


class InputSpec(Record):
    """What the signature `image` takes: uint8 [batch, height, width, channels], values 0 to 255, 0 black.

    The whole picture is stretched to height x width, so the evidence covers the whole picture.

    Attributes:
        height: rows, in pixels.
        width: columns, in pixels.
        channels: 1 (grey) or 3 (RGB).
        modalities: DICOM Modality (0008,0060) values accepted; empty accepts any.
        body_parts: DICOM BodyPartExamined (0018,0015) values accepted; likewise.
        views: DICOM ViewPosition (0018,5101) values accepted; likewise.
        aspect_ratio: smallest and largest width / height accepted; beyond, stretching would distort.
    """

    height: int = Field(gt=0)
    width: int = Field(gt=0)
    channels: Literal[1, 3]
    modalities: tuple[str, ...] = ()
    body_parts: tuple[str, ...] = ()
    views: tuple[str, ...] = ()
    aspect_ratio: tuple[float, float] = (0.4, 2.5)


class Calibration(Record):
    """How logits become probabilities: sigmoid or softmax of (logit / temperature), or Platt's sigmoid(a * logit + b).

    Attributes:
        method: `none`; `temperature` (Guo et al. 2017, arXiv 1706.04599, section 4.2); `platt` (Platt 1999), per label.
        temperature: one value for softmax, one per label for sigmoids.
        slope: Platt's a, per label.
        intercept: Platt's b, per label.
        ece_before: expected calibration error on the test split with the raw logits, 0 to 1.
        ece_after: the same after calibration.
    """

    method: Literal["none", "temperature", "platt"] = "none"
    temperature: tuple[float, ...] = ()
    slope: tuple[float, ...] = ()
    intercept: tuple[float, ...] = ()
    ece_before: float | None = None
    ece_after: float | None = None


class OperatingPoint(Record):
    """Where "present" begins for one label, chosen on validation and measured on test.

    Attributes:
        threshold: calibrated probability from which the label counts as present.
        not_sure: probabilities from low to high are shown as "not sure"; contains the threshold.
        chosen_by: the rule, for example "Youden's J on validation".
        sensitivity: on the test split at the threshold.
        specificity: on the test split at the threshold.
    """

    threshold: float = Field(ge=0, le=1)
    not_sure: tuple[float, float]
    chosen_by: str
    sensitivity: Interval
    specificity: Interval


class LabelMetrics(Record):
    """How well one label is found on the test split.

    Attributes:
        positives: test images that have the label.
        negatives: test images that do not.
        auroc, auprc, sensitivity, specificity, f1: in [0, 1], the last three at the operating point.
        pointing_game: share of test images with a mask whose evidence peaks inside it
            (Zhang et al. 2018, arXiv 1608.00507, section 4.2); None where there are no masks.
        pointing_images: how many images that share is of.
        pointing_centre: the same share for a guess at the centre of the picture, the floor.
        pointing_mask_area: mean share of the picture covered by the masks.
    """

    positives: int
    negatives: int
    auroc: Interval
    auprc: Interval
    sensitivity: Interval
    specificity: Interval
    f1: Interval
    pointing_game: Interval | None = None
    pointing_images: int = 0
    pointing_centre: float | None = None
    pointing_mask_area: float | None = None


class Label(Record):
    """One answer of the model, in output order."""

    name: str
    operating_point: OperatingPoint | None = None
    metrics: LabelMetrics | None = None


class TrainingData(Record):
    """What the model learnt from.

    Attributes:
        name: the data set's name.
        fingerprint: SHA-256 over file names, file contents and labels.
        images: number of images per split.
        patients: number of patients per split; absent where the manifest names none.
        grouped_by: what keeps the splits apart: `patient_id`, or `image` where nothing better is known.
    """

    name: str
    fingerprint: str
    images: dict[str, int]
    patients: dict[str, int] = Field(default_factory=dict)
    grouped_by: str


class Training(Record):
    """How the model was made, enough to make it again.

    Attributes:
        config: the training file as it was run, `--set` applied.
        code_revision: git commit, with `+` where the tree had changes; `unknown` outside a checkout.
        packages: version of each package that matters.
        probe_score: validation score of the head on the frozen backbone: the floor.
        score: validation score of the weights kept.
        score_name: what both are, for example "mean AUROC".
    """

    config: dict[str, object]
    code_revision: str
    packages: dict[str, str]
    probe_score: float | None = None
    score: float | None = None
    score_name: str = ""


class ModelCard(Record):
    """One version of one model. Written at export as `assets.extra/card.json`; travels with every answer.

    Attributes:
        name: the model's name: its folder in the registry and TensorFlow Serving's model name.
        version: from 1 up.
        task: a task's name; question, kind and negative are the task's own, so that a reader needs no other file.
        backbone: a name of `zoo.backbones.BACKBONES`.
        evidence_layer: the layer that feeds global average pooling.
        evidence_grid: rows and columns of the evidence maps.
        embedding_size: length of the pooled features.
        accuracy_baseline: what the same answer for every image would score.
        kappa: ordinal tasks only: quadratic weighted kappa of the leading grade (Cohen 1968).
        subgroups: the same measurements by age, sex, view and source, where the manifest has them.
        gate: what an image is compared with before its answer is given, and the limits.
        explanations: how far each explanation method can be trusted, where the run was audited before its export.
        weights_sha256: SHA-256 of `variables/variables.data-00000-of-00001`.
    """

    schema_version: Literal[1] = 1
    name: str = Field(pattern=r"^[a-z0-9][a-z0-9._-]*$")
    version: int = Field(ge=1)
    task: str
    question: str
    kind: Kind
    negative: str | None = None
    backbone: str
    parameters: int
    input: InputSpec
    labels: tuple[Label, ...]
    evidence_layer: str
    evidence_grid: tuple[int, int]
    embedding_size: int
    calibration: Calibration = Calibration()
    accuracy: Interval | None = None
    accuracy_baseline: Baseline | None = None
    kappa: Interval | None = None
    subgroups: tuple[Subgroup, ...] = ()
    confusion: tuple[tuple[int, ...], ...] | None = None
    licence: str
    intended_use: str
    not_for: str
    notice: str = RESEARCH_USE_ONLY
    data: TrainingData
    training: Training
    gate: Gate | None = None
    explanations: tuple[MethodReliability, ...] = ()
    weights_sha256: str = ""
    created: str

    @model_validator(mode="before")
    @classmethod
    def _with_gate(cls, values: Any) -> Any:
        """Reads the cards of older bundles, which hold a `reference_embedding` and no `gate`."""
        if isinstance(values, dict) and "reference_embedding" in values:
            values = dict(values)
            known = values.pop("reference_embedding")
            if known is not None and not isinstance(known, dict):
                raise ValueError("reference_embedding is not an object")
            if known and values.get("gate") is None:
                values["gate"] = of_older_card(known)
        return values

    @property
    def label_names(self) -> tuple[str, ...]:
        """The labels' names, in output order."""
        return tuple(label.name for label in self.labels)

    def label_index(self, name: str) -> int:
        """Where label `name` stands in the outputs.

        Raises:
            BadRequest: the model has no such label.
        """
        try:
            return self.label_names.index(name)
        except ValueError:
            known = ", ".join(self.label_names)
            raise errors.BadRequest(f"{self.name} has no label {name!r}. It has: {known}.") from None

    def to_json(self) -> str:
        """The card as indented JSON."""
        return self.model_dump_json(indent=2)

    @classmethod
    def from_json(cls, text: str | bytes) -> ModelCard:
        """Reads what `to_json` wrote.

        Raises:
            BadBundle: not JSON, or a field is missing, unknown or impossible; each is named.
        """
        try:
            return cls.model_validate_json(text)
        except ValidationError as error:
            faults = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'card'}: {e['msg']}" for e in error.errors()[:5])
            raise errors.BadBundle(f"The model card is not readable: {faults}. Export the model again.") from None

    @classmethod
    def read(cls, path: Path) -> ModelCard:
        """Reads a card file.

        Raises:
            BadBundle: missing or unreadable.
        """
        try:
            return cls.from_json(path.read_bytes())
        except OSError as error:
            raise errors.BadBundle(f"No model card at {path} ({error.strerror}). Is this a bundle?") from None
