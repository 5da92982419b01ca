"""Records of ours <-> messages of kerascope.v1, both ways. Needs no TensorFlow."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from serving.proto.kerascope.v1 import inference_pb2 as pb
from zoo import errors
from zoo.cards import Interval, OperatingPoint
from zoo.results import (
    Analysis,
    Caution,
    Explanation,
    Finding,
    FloatArray,
    ImageFacts,
    Measure,
    Method,
    Provenance,
    Timings,
    Verdict,
)


@dataclass(frozen=True, kw_only=True)
class ModelSummary:
    """One version of one model, as the gateway lists it.

    Attributes:
        name: the model's name.
        version: its version.
        task: the task's name.
        question: the task as a clinician would ask it.
        labels: what it can find, in output order.
        ready: whether the model server answers for this version now.
    """

    name: str
    version: int
    task: str
    question: str
    labels: tuple[str, ...]
    ready: bool


def summary_to_message(summary: ModelSummary) -> pb.ModelSummary:
    """A `ModelSummary` as its message."""
    return pb.ModelSummary(
        model=pb.ModelRef(name=summary.name, version=summary.version),
        task=summary.task,
        question=summary.question,
        labels=summary.labels,
        ready=summary.ready,
    )


def summary_from_message(message: pb.ModelSummary) -> ModelSummary:
    """What `summary_to_message` was given."""
    return ModelSummary(
        name=message.model.name,
        version=message.model.version,
        task=message.task,
        question=message.question,
        labels=tuple(message.labels),
        ready=message.ready,
    )


def method_to_message(method: Method) -> pb.Method:
    """A method's number on the wire."""
    return pb.Method.Value(f"METHOD_{method.name}")


def method_from_message(number: int) -> Method:
    """The method of a number.

    Raises:
        BadRequest: none given, or unknown to this version.
    """
    if number in pb.Method.values() and number != pb.METHOD_UNSPECIFIED:
        return Method[pb.Method.Name(number).removeprefix("METHOD_")]
    known = ", ".join(method.value for method in Method)
    raise errors.BadRequest(f"The explanation method is missing or unknown ({number}). There are: {known}.")


def analysis_to_message(analysis: Analysis) -> pb.AnalyzeResponse:
    """An `Analysis` as its message."""
    image, timings = analysis.image, analysis.timings
    return pb.AnalyzeResponse(
        findings=[_finding_to_message(finding) for finding in analysis.findings],
        provenance=_provenance_to_message(analysis.provenance),
        image=pb.ImageFacts(format=image.format, width=image.width, height=image.height, modality=image.modality),
        timings=pb.Timings(
            decode_ms=timings.decode_ms,
            preprocess_ms=timings.preprocess_ms,
            model_ms=timings.model_ms,
            total_ms=timings.total_ms,
        ),
        embedding=() if analysis.embedding is None else analysis.embedding.tolist(),
        caution=None if analysis.caution is None else _caution_to_message(analysis.caution),
        notice=analysis.notice,
    )


def analysis_from_message(message: pb.AnalyzeResponse) -> Analysis:
    """What `analysis_to_message` was given."""
    image, timings = message.image, message.timings
    return Analysis(
        findings=tuple(_finding_from_message(finding) for finding in message.findings),
        provenance=_provenance_from_message(message.provenance),
        image=ImageFacts(format=image.format, width=image.width, height=image.height, modality=image.modality),
        timings=Timings(
            decode_ms=timings.decode_ms,
            preprocess_ms=timings.preprocess_ms,
            model_ms=timings.model_ms,
            total_ms=timings.total_ms,
        ),
        embedding=np.array(message.embedding, np.float32) if message.embedding else None,
        caution=_caution_from_message(message.caution) if message.HasField("caution") else None,
        notice=message.notice,
    )


def explanation_to_message(explanation: Explanation) -> pb.ExplainResponse:
    """An `Explanation` as its message."""
    return pb.ExplainResponse(
        method=method_to_message(explanation.method),
        label=explanation.label,
        heatmap=_map_to_message(explanation.heatmap),
        strength=explanation.strength,
        elapsed_ms=explanation.elapsed_ms,
        provenance=_provenance_to_message(explanation.provenance),
        notice=explanation.notice,
    )


def explanation_from_message(message: pb.ExplainResponse) -> Explanation:
    """What `explanation_to_message` was given."""
    return Explanation(
        method=method_from_message(message.method),
        label=message.label,
        heatmap=_map_from_message(message.heatmap),
        strength=message.strength,
        elapsed_ms=message.elapsed_ms,
        provenance=_provenance_from_message(message.provenance),
        notice=message.notice,
    )


def _caution_to_message(caution: Caution) -> pb.Caution:
    return pb.Caution(
        measure=caution.measure.value,
        ratio=caution.ratio,
        refusal_ratio=caution.refusal_ratio,
        share=caution.share,
        message=caution.message,
    )


def _caution_from_message(message: pb.Caution) -> Caution:
    return Caution(
        measure=Measure(message.measure) if message.measure in set(Measure) else Measure.OTHER,
        ratio=message.ratio,
        refusal_ratio=message.refusal_ratio if message.HasField("refusal_ratio") else None,
        share=message.share,
        message=message.message,
    )


def _finding_to_message(finding: Finding) -> pb.Finding:
    point = finding.operating_point
    return pb.Finding(
        label=finding.label,
        probability=finding.probability,
        logit=finding.logit,
        verdict=pb.Verdict.Value(f"VERDICT_{finding.verdict.name}"),
        operating_point=None if point is None else _point_to_message(point),
        evidence=_map_to_message(finding.evidence),
    )


def _finding_from_message(message: pb.Finding) -> Finding:
    return Finding(
        label=message.label,
        probability=message.probability,
        logit=message.logit,
        verdict=Verdict[pb.Verdict.Name(message.verdict).removeprefix("VERDICT_")],
        operating_point=_point_from_message(message.operating_point) if message.HasField("operating_point") else None,
        evidence=_map_from_message(message.evidence),
    )


def _point_to_message(point: OperatingPoint) -> pb.OperatingPoint:
    return pb.OperatingPoint(
        threshold=point.threshold,
        not_sure_low=point.not_sure[0],
        not_sure_high=point.not_sure[1],
        chosen_by=point.chosen_by,
        sensitivity=pb.Interval(**point.sensitivity.model_dump()),
        specificity=pb.Interval(**point.specificity.model_dump()),
    )


def _point_from_message(message: pb.OperatingPoint) -> OperatingPoint:
    return OperatingPoint(
        threshold=message.threshold,
        not_sure=(message.not_sure_low, message.not_sure_high),
        chosen_by=message.chosen_by,
        sensitivity=_interval_from_message(message.sensitivity),
        specificity=_interval_from_message(message.specificity),
    )


def _interval_from_message(message: pb.Interval) -> Interval:
    ends = {name: getattr(message, name) if message.HasField(name) else None for name in ("value", "low", "high")}
    return Interval(**ends)


def _map_to_message(values: FloatArray) -> pb.Map:
    rows, columns = values.shape
    return pb.Map(rows=rows, columns=columns, values=values.ravel().tolist())


def _map_from_message(message: pb.Map) -> FloatArray:
    return np.array(message.values, np.float32).reshape(message.rows, message.columns)


def _provenance_to_message(provenance: Provenance) -> pb.Provenance:
    return pb.Provenance(
        model=pb.ModelRef(name=provenance.model, version=provenance.version),
        backbone=provenance.backbone,
        weights_sha256=provenance.weights_sha256,
        analysis_id=provenance.analysis_id,
        image_sha256=provenance.image_sha256,
        gateway_version=provenance.gateway_version,
    )


def _provenance_from_message(message: pb.Provenance) -> Provenance:
    return Provenance(
        model=message.model.name,
        version=message.model.version,
        backbone=message.backbone,
        weights_sha256=message.weights_sha256,
        analysis_id=message.analysis_id,
        image_sha256=message.image_sha256,
        gateway_version=message.gateway_version,
    )
