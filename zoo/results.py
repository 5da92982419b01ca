"""What an analysis says. The gateway makes these, the client gives the very same ones back."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

import numpy as np
import numpy.typing as npt

from zoo.cards import RESEARCH_USE_ONLY, OperatingPoint

FloatArray = npt.NDArray[np.float32]


class Verdict(str, Enum):
    """What a probability means at the operating point."""

    ABSENT = "absent"
    NOT_SURE = "not sure"
    PRESENT = "present"
    UNRATED = "unrated"  # the card has no operating point for this label

    @classmethod
    def of(cls, probability: float, point: OperatingPoint | None) -> Verdict:
        """`not sure` inside the zone around the threshold, else on which side of it the probability lies."""
        if point is None:
            return cls.UNRATED
        low, high = point.not_sure
        if low <= probability <= high and low < high:
            return cls.NOT_SURE
        return cls.PRESENT if probability >= point.threshold else cls.ABSENT


@dataclass(frozen=True, kw_only=True, eq=False)
class Finding:
    """One label's answer for one image.

    Attributes:
        label: the label's name.
        probability: calibrated, in [0, 1].
        logit: uncalibrated, unbounded.
        verdict: the probability read at the operating point.
        operating_point: where "present" begins, with sensitivity and specificity; None if the card has none.
        evidence: float32 [rows, columns], signed, in logits: the mean over the map plus the head's bias is
            the logit. It covers the whole picture. Where the model looked, not an outline.
    """

    label: str
    probability: float
    logit: float
    verdict: Verdict
    operating_point: OperatingPoint | None
    evidence: FloatArray

    @property
    def peak(self) -> tuple[float, float]:
        """Where the evidence for the label is strongest: x and y, each a fraction of the picture in [0, 1]."""
        rows, columns = self.evidence.shape
        row, column = divmod(int(np.argmax(self.evidence)), columns)
        return (column + 0.5) / columns, (row + 0.5) / rows

    @property
    def place(self) -> str:
        """The same in words: one of nine places of the picture.

        The picture's sides, not the patient's: on a frontal radiograph they are swapped.
        """
        x, y = self.peak
        row = ("upper", "middle", "lower")[min(int(3 * y), 2)]
        column = ("left", "centre", "right")[min(int(3 * x), 2)]
        return "centre" if (row, column) == ("middle", "centre") else f"{row} {column}"


@dataclass(frozen=True, kw_only=True)
class Provenance:
    """Which model answered, and what it was asked about, without anything of the patient.

    Attributes:
        model: its name.
        version: its version.
        backbone: its architecture.
        weights_sha256: of the bundle's weights.
        analysis_id: a random identifier of this answer.
        image_sha256: of the bytes received.
        gateway_version: the version of Kerascope that served it.
    """

    model: str
    version: int
    backbone: str
    weights_sha256: str
    analysis_id: str
    image_sha256: str
    gateway_version: str


@dataclass(frozen=True, kw_only=True)
class ImageFacts:
    """What was received.

    Attributes:
        format: DICOM, PNG or JPEG.
        width: in pixels, as received.
        height: in pixels, as received.
        modality: DICOM Modality (0008,0060); empty for PNG and JPEG.
    """

    format: str
    width: int
    height: int
    modality: str = ""


@dataclass(frozen=True, kw_only=True)
class Timings:
    """Where the time went, in milliseconds: reading the file, resizing, the model server's call, the whole."""

    decode_ms: float
    preprocess_ms: float
    model_ms: float
    total_ms: float


class Measure(str, Enum):
    """By what an image is compared with the training images."""

    TEXTURE = "texture"  # the picture's grey levels, texture and colours
    LAYOUT = "layout"  # these, and where it is light and dark
    EMBEDDING = "embedding"  # the model's own features of it
    OTHER = "other"  # one that a newer gateway knows and this client does not


@dataclass(frozen=True, kw_only=True)
class Caution:
    """An answered image is unusual for the model: it lies beyond the first of the gate's two limits.

    Attributes:
        measure: by what it is unusual.
        ratio: its distance from the training images, divided by the first limit; 1 or more.
        refusal_ratio: the second limit, beyond which images are refused, divided by the first; None for the embedding,
            by which none is refused.
        share: the share of images of the training's kind that lie beyond the first limit, at most.
        message: the same as a sentence.
    """

    measure: Measure
    ratio: float
    refusal_ratio: float | None
    share: float
    message: str


@dataclass(frozen=True, kw_only=True, eq=False)
class Analysis:
    """All that a model says of one image.

    Attributes:
        findings: one per label, in the card's order.
        embedding: float32 [K], the pooled features; None unless asked for.
        caution: the image is unusual for the model; None where it is not. To be shown wherever the result is shown.
        notice: likewise.
    """

    findings: tuple[Finding, ...]
    provenance: Provenance
    image: ImageFacts
    timings: Timings
    embedding: FloatArray | None = None
    caution: Caution | None = None
    notice: str = field(default=RESEARCH_USE_ONLY)

    @property
    def leading(self) -> Finding:
        """The finding to show first: the most probable among those present, else among the unsure, else of all."""
        order = {Verdict.PRESENT: 0, Verdict.NOT_SURE: 1, Verdict.UNRATED: 2, Verdict.ABSENT: 2}
        return min(self.findings, key=lambda finding: (order[finding.verdict], -finding.probability))


class Method(str, Enum):
    """The explanation methods the gateway's `Explain` answers to, by their names in `zoo.explain.methods`."""

    GRAD_CAM = "grad-cam"
    GRAD_CAM_PLUS_PLUS = "grad-cam++"
    SCORE_CAM = "score-cam"
    LAYER_CAM = "layer-cam"
    SALIENCY = "saliency"
    SMOOTH_GRAD = "smooth-grad"
    FASTER_SCORE_CAM = "faster-score-cam"
    GUIDED_BACKPROPAGATION = "guided-backpropagation"
    DECONVNET = "deconvnet"
    INTEGRATED_GRADIENTS = "integrated-gradients"
    OCCLUSION = "occlusion"


@dataclass(frozen=True, kw_only=True, eq=False)
class Explanation:
    """One method's map for one label of one image.

    Attributes:
        method: which.
        label: of which label.
        heatmap: float32 [rows, columns] in [0, 1], divided by its own maximum; covers the whole picture.
        strength: that maximum before the division, in the method's own unit.
        elapsed_ms: how long it took.
    """

    method: Method
    label: str
    heatmap: FloatArray
    strength: float
    elapsed_ms: float
    provenance: Provenance
    notice: str = field(default=RESEARCH_USE_ONLY)
