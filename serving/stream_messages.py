"""Answers to many images <-> messages of kerascope.v1. Needs neither TensorFlow nor SQLAlchemy."""

from __future__ import annotations

from collections.abc import Sequence

from serving import messages
from serving.proto.kerascope.v1 import inference_pb2 as pb
from serving.records import ImageAnswer, StoredAnalysis, StudyAnswer, StudyFinding
from serving.status import STATUS, named
from zoo import errors
from zoo.results import Analysis, Verdict


def answer_to_message(image_id: str, analysis: Analysis, sequence: int, *, again: bool) -> pb.ImageAnswer:
    """An image's findings, under its name."""
    said = messages.analysis_to_message(analysis)
    return pb.ImageAnswer(image_id=image_id, analysis=said, sequence=sequence, from_store=again)


def error_to_message(image_id: str, error: errors.KerascopeError) -> pb.ImageAnswer:
    """Why an image has none."""
    return pb.ImageAnswer(image_id=image_id, error=_error(type(error), _reason(error), str(error)))


def stored_to_message(image_id: str, stored: StoredAnalysis) -> pb.ImageAnswer:
    """What the store says of an image: findings, or a refusal."""
    if stored.analysis is not None:
        return answer_to_message(image_id, stored.analysis, stored.sequence, again=True)
    error = _error(type(named(stored.error, stored.reason, "")), stored.reason, stored.detail)
    return pb.ImageAnswer(image_id=image_id, error=error, sequence=stored.sequence, from_store=True)


def answer_from_message(message: pb.ImageAnswer) -> ImageAnswer:
    """What the three above were given."""
    error = message.error
    failed = message.WhichOneof("outcome") != "analysis"
    return ImageAnswer(
        image_id=message.image_id,
        analysis=None if failed else messages.analysis_from_message(message.analysis),
        error=named(error.error, error.reason, error.detail) if failed else None,
        sequence=message.sequence,
        from_store=message.from_store,
    )


def finding_to_message(finding: StudyFinding) -> pb.StudyFinding:
    """A `StudyFinding` as its message."""
    return pb.StudyFinding(
        label=finding.label,
        probability=finding.probability,
        verdict=pb.Verdict.Value(f"VERDICT_{finding.verdict.name}"),
        image_id=finding.image_id,
        present_on=finding.present_on,
    )


def study_to_message(
    study_uid: str, model: pb.ModelRef, images: Sequence[pb.ImageAnswer], summary: Sequence[StudyFinding], notice: str
) -> pb.AnalyzeStudyResponse:
    """A study's answer as its message."""
    analysed = sum(image.HasField("analysis") for image in images)
    return pb.AnalyzeStudyResponse(
        study_uid=study_uid,
        model=model,
        images=images,
        summary=map(finding_to_message, summary),
        analysed=analysed,
        turned_away=len(images) - analysed,
        unusual=sum(image.HasField("analysis") and image.analysis.HasField("caution") for image in images),
        notice=notice,
    )


def study_from_message(message: pb.AnalyzeStudyResponse) -> StudyAnswer:
    """A study's answer as the client gives it back."""
    return StudyAnswer(
        study_uid=message.study_uid,
        model=message.model.name,
        version=message.model.version,
        images=tuple(answer_from_message(image) for image in message.images),
        summary=tuple(_finding(finding) for finding in message.summary),
        unusual=message.unusual,
        notice=message.notice,
    )


def _finding(message: pb.StudyFinding) -> StudyFinding:
    return StudyFinding(
        label=message.label,
        probability=message.probability,
        verdict=Verdict[pb.Verdict.Name(message.verdict).removeprefix("VERDICT_")],
        image_id=message.image_id,
        present_on=message.present_on,
    )


def _error(kind: type[errors.KerascopeError], reason: str, detail: str) -> pb.ImageError:
    return pb.ImageError(code=STATUS[kind].value[0], error=kind.__name__, reason=reason, detail=detail)


def _reason(error: errors.KerascopeError) -> str:
    return error.reason.value if isinstance(error, (errors.BadImage, errors.ImageRefused)) else ""
