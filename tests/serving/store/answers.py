"""Headers and answers to put into a store."""

from __future__ import annotations

import uuid

import numpy as np

from serving.hospital.header import Header
from zoo.results import Analysis, Caution, Finding, ImageFacts, Measure, Provenance, Timings, Verdict

CAUTION = Caution(
    measure=Measure.EMBEDDING, ratio=1.31, refusal_ratio=1.8, share=0.05, message="Unusual for this model: 1.31 times."
)


def header(number: int = 1, study: int = 1) -> Header:
    return Header(
        study_uid=f"1.2.{study}", instance_uid=f"1.2.{study}.{number}", sop_class_uid="1.2.840.10008.5.1.4.1.1.1"
    )


def analysis(seed: int = 0, *, model: str = "chest", version: int = 1, caution: Caution | None = None) -> Analysis:
    """An answer with two findings and an embedding, made up but for its shape."""
    random = np.random.default_rng(seed)
    findings = tuple(
        Finding(
            label=label,
            probability=float(random.random()),
            logit=0.5,
            verdict=Verdict.PRESENT,
            operating_point=None,
            evidence=random.normal(size=(2, 3)).astype(np.float32),
        )
        for label in ("nodule", "effusion")
    )
    return Analysis(
        findings=findings,
        provenance=Provenance(
            model=model,
            version=version,
            backbone="small-cnn",
            weights_sha256="0" * 64,
            analysis_id=uuid.uuid4().hex,
            image_sha256=f"{seed:064x}",
            gateway_version="0",
        ),
        image=ImageFacts(format="PNG", width=3, height=2),
        timings=Timings(decode_ms=1, preprocess_ms=1, model_ms=1, total_ms=3),
        embedding=random.normal(size=4).astype(np.float32),
        caution=caution,
    )
