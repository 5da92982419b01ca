"""Records of the store <-> messages of kerascope.v1, both ways. Needs neither TensorFlow nor SQLAlchemy."""

from __future__ import annotations

from datetime import datetime, timezone
from enum import Enum
from typing import Any, TypeVar

from serving import messages
from serving.proto.kerascope.v1 import inference_pb2 as pb
from serving.records import Decision, Review, Status, StoredAnalysis, Study, StudyItem
from zoo import errors
from zoo.results import Verdict

Choice = TypeVar("Choice", bound=Enum)


def stored_to_message(stored: StoredAnalysis) -> pb.StoredAnalysis:
    """A `StoredAnalysis` as its message."""
    return pb.StoredAnalysis(
        sequence=stored.sequence,
        analysis_id=stored.analysis_id,
        created_ms=_milliseconds(stored.created),
        model=pb.ModelRef(name=stored.model, version=stored.version),
        status=pb.Status.Value(f"STATUS_{stored.status.name}"),
        image_sha256=stored.image_sha256,
        study_uid=stored.study_uid,
        instance_uid=stored.instance_uid,
        analysis=None if stored.analysis is None else messages.analysis_to_message(stored.analysis),
        error=stored.error,
        reason=stored.reason,
        detail=stored.detail,
        reviews=[review_to_message(review) for review in stored.reviews],
    )


def stored_from_message(message: pb.StoredAnalysis) -> StoredAnalysis:
    """What `stored_to_message` was given."""
    return StoredAnalysis(
        sequence=message.sequence,
        analysis_id=message.analysis_id,
        created=_time(message.created_ms),
        model=message.model.name,
        version=message.model.version,
        status=_choice(Status, pb.Status, "STATUS_", message.status),
        image_sha256=message.image_sha256,
        study_uid=message.study_uid,
        instance_uid=message.instance_uid,
        analysis=messages.analysis_from_message(message.analysis) if message.HasField("analysis") else None,
        error=message.error,
        reason=message.reason,
        detail=message.detail,
        reviews=tuple(review_from_message(review) for review in message.reviews),
    )


def review_to_message(review: Review) -> pb.Review:
    """A `Review` as its message."""
    correction = review.correction
    return pb.Review(
        analysis_id=review.analysis_id,
        decision=pb.Decision.Value(f"DECISION_{review.decision.name}"),
        user=review.user,
        finding=review.finding,
        correction=pb.VERDICT_UNSPECIFIED if correction is None else pb.Verdict.Value(f"VERDICT_{correction.name}"),
        comment=review.comment,
        signed=review.signed,
        created_ms=0 if review.created is None else _milliseconds(review.created),
    )


def review_from_message(message: pb.Review) -> Review:
    """What `review_to_message` was given.

    Raises:
        BadRequest: the decision is missing, or unknown to this version.
    """
    known = message.correction != pb.VERDICT_UNSPECIFIED
    return Review(
        analysis_id=message.analysis_id,
        decision=_choice(Decision, pb.Decision, "DECISION_", message.decision),
        user=message.user,
        finding=message.finding,
        correction=_choice(Verdict, pb.Verdict, "VERDICT_", message.correction) if known else None,
        comment=message.comment,
        signed=message.signed,
        created=_time(message.created_ms) if message.created_ms else None,
    )


def study_to_message(study: Study) -> pb.Study:
    """A `Study` as its message."""
    items = [
        pb.StudyItem(
            instance_uid=item.instance_uid,
            model=item.model,
            status=pb.Status.Value(f"STATUS_{item.status.name}"),
            reason=item.reason,
            analysis_id=item.analysis_id,
            caution_ratio=item.caution_ratio or 0,
        )
        for item in study.items
    ]
    received = _milliseconds(study.received)
    return pb.Study(number=study.number, study_uid=study.study_uid, received_ms=received, items=items)


def study_from_message(message: pb.Study) -> Study:
    """What `study_to_message` was given."""
    items = tuple(
        StudyItem(
            instance_uid=item.instance_uid,
            model=item.model,
            status=_choice(Status, pb.Status, "STATUS_", item.status),
            reason=item.reason,
            analysis_id=item.analysis_id,
            caution_ratio=item.caution_ratio or None,
        )
        for item in message.items
    )
    received = _time(message.received_ms)
    return Study(number=message.number, study_uid=message.study_uid, received=received, items=items)


def _choice(kind: type[Choice], numbers: Any, prefix: str, number: int) -> Choice:
    """The member that a number of the proto's enum stands for."""
    names = {value: name.removeprefix(prefix) for name, value in numbers.items()}
    if names.get(number) in kind.__members__:
        return kind[names[number]]
    known = ", ".join(str(member.value) for member in kind)
    raise errors.BadRequest(f"The {kind.__name__.lower()} is missing or unknown ({number}). There are: {known}.")


def _milliseconds(time: datetime) -> int:
    return round(time.timestamp() * 1e3)


def _time(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1e3, tz=timezone.utc)
