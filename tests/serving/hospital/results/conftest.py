"""An analysis worked out by nobody, of a CR and of a CT slice, and the card it comes with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from pydicom.uid import CTImageStorage

from zoo.cards import InputSpec, Interval, Label, ModelCard, OperatingPoint, Training, TrainingData
from zoo.results import Analysis, Caution, Finding, ImageFacts, Measure, Provenance, Timings, Verdict

STUDY, SERIES = "1.2.826.0.1.3680043.8.498.1", "1.2.826.0.1.3680043.8.498.2"


def point(threshold: float, low: float, high: float) -> OperatingPoint:
    return OperatingPoint(
        threshold=threshold,
        not_sure=(low, high),
        chosen_by="Youden's J on validation",
        sensitivity=Interval(value=0.91, low=0.85, high=0.95),
        specificity=Interval(value=0.88),
    )


def finding(label: str, probability: float, at: OperatingPoint | None, seed: int) -> Finding:
    evidence = np.random.default_rng(seed).normal(size=(2, 4)).astype(np.float32)
    verdict = Verdict.of(probability, at)
    return Finding(
        label=label, probability=probability, logit=0.5, verdict=verdict, operating_point=at, evidence=evidence
    )


@pytest.fixture
def analysis() -> Analysis:
    return Analysis(
        findings=(
            finding("Effusion", 0.93, point(0.4, 0.35, 0.45), 0),
            finding("Pneumothorax", 0.02, point(0.3, 0.2, 0.4), 1),
            finding("Nodule", 0.5, point(0.6, 0.45, 0.65), 2),
            finding("Pleural_Thickening", 0.2, None, 3),
        ),
        provenance=Provenance(
            model="chest",
            version=3,
            backbone="densenet121",
            weights_sha256="ab" * 32,
            analysis_id="5f" * 16,
            image_sha256="cd" * 32,
            gateway_version="0.1.0",
        ),
        image=ImageFacts(format="DICOM", width=80, height=96, modality="CR"),
        timings=Timings(decode_ms=1, preprocess_ms=1, model_ms=1, total_ms=3),
    )


@pytest.fixture
def unusual(analysis: Analysis) -> Analysis:
    """The same answer, of an image that is unusual for the model."""
    said = "Unusual for this model: 1.31 times the usual distance. Read its answer with care."
    caution = Caution(measure=Measure.EMBEDDING, ratio=1.31, refusal_ratio=1.8, share=0.05, message=said)
    return replace(analysis, caution=caution)


@pytest.fixture
def another(analysis: Analysis) -> Analysis:
    """The same answer under another identifier: the image was sent a second time."""
    return replace(analysis, provenance=replace(analysis.provenance, analysis_id="60" * 16))


@pytest.fixture
def card(analysis: Analysis) -> ModelCard:
    return ModelCard(
        name="chest",
        version=3,
        task="chest-findings",
        question="Which of these findings does this frontal chest radiograph show?",
        kind="multilabel",
        backbone="densenet121",
        parameters=1,
        input=InputSpec(height=64, width=64, channels=1),
        labels=tuple(Label(name=each.label, operating_point=each.operating_point) for each in analysis.findings),
        evidence_layer="relu",
        evidence_grid=(2, 4),
        embedding_size=8,
        licence="Apache-2.0",
        intended_use="tests & nothing else",
        not_for="patients",
        data=TrainingData(name="none", fingerprint="0" * 64, images={"train": 7}, grouped_by="image"),
        training=Training(config={}, code_revision="unknown", packages={}),
        created="2026-01-01T00:00:00+00:00",
    )


@pytest.fixture
def cr(make_dicom: Callable[..., bytes]) -> bytes:
    """A CR of Jane Doe."""
    return make_dicom(
        StudyInstanceUID=STUDY,
        SeriesInstanceUID=SERIES,
        StudyDate="20260304",
        StudyTime="0506",
        AccessionNumber="A-77",
        StudyID="9",
        PatientSex="F",
        PatientOrientation=["L", "F"],
        ImagerPixelSpacing=[0.5, 0.25],
    )


@pytest.fixture
def ct(make_dicom: Callable[..., bytes]) -> bytes:
    """A CT slice that says where in Jane Doe it lies."""
    return make_dicom(
        SOPClassUID=CTImageStorage,
        Modality="CT",
        StudyInstanceUID=STUDY,
        SeriesInstanceUID=SERIES,
        FrameOfReferenceUID="1.2.826.0.1.3680043.8.498.3",
        PositionReferenceIndicator="",
        PixelSpacing=[0.5, 0.25],
        ImagePositionPatient=[10, 20, 30],
        ImageOrientationPatient=[1, 0, 0, 0, 1, 0],
        SliceThickness=2,
    )
