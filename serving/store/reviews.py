"""What people said of the answers: rows are added, never changed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

from sqlalchemy import select
from sqlalchemy.orm import Session

from serving.proto.kerascope.v1 import inference_pb2 as pb
from serving.records import Decision, Review
from serving.store import tables
from serving.store.database import Database, now_ms, when
from zoo import errors
from zoo.results import Verdict

LONGEST_COMMENT = 10_000


class Reviews:
    """The table of reviews."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, review: Review) -> Review:
        """Keeps a review.

        Returns:
            The same, with the time it was taken.

        Raises:
            UnknownRecord: no such analysis.
            BadRequest: the analysis was refused or has no such finding, nobody is named, or the correction is missing
                or out of place.
        """
        created = now_ms()
        with self._database.write() as session:
            row = session.scalars(
                select(tables.Analysis).where(tables.Analysis.analysis_id == review.analysis_id)
            ).first()
            if row is None:
                raise errors.UnknownRecord("The store holds no analysis of this identifier, so it cannot be reviewed.")
            _check(review, row)
            session.add(
                tables.Review(
                    analysis_id=review.analysis_id,
                    finding=review.finding,
                    decision=review.decision.value,
                    correction=review.correction.value if review.correction else "",
                    comment=review.comment,
                    user=review.user,
                    signed=review.signed,
                    created_ms=created,
                )
            )
        return replace(review, created=when(created))


def of(session: Session, analysis_ids: Sequence[str]) -> dict[str, tuple[Review, ...]]:
    """The reviews of each analysis, oldest first."""
    query = select(tables.Review).where(tables.Review.analysis_id.in_(analysis_ids)).order_by(tables.Review.id)
    found = defaultdict(list)
    for row in session.scalars(query):
        found[row.analysis_id].append(_record(row))
    return {analysis_id: tuple(said) for analysis_id, said in found.items()}


def _check(review: Review, row: tables.Analysis) -> None:
    if not row.message:
        raise errors.BadRequest("This image was refused: there is no finding to review.")
    labels = [finding.label for finding in pb.AnalyzeResponse.FromString(row.message).findings]
    if review.finding and review.finding not in labels:
        raise errors.BadRequest(f"The analysis has no such finding. It has: {', '.join(labels)}.")
    if not review.user.strip():
        raise errors.BadRequest("A review names who made it, and this one names nobody. Set `user`.")
    if (review.correction is not None) != (review.decision is Decision.CORRECT):
        raise errors.BadRequest("The decision `correct`, and no other, comes with a correction: present or absent.")
    if review.correction not in (None, Verdict.PRESENT, Verdict.ABSENT) or (review.correction and not review.finding):
        raise errors.BadRequest("A correction says of one finding that it is present or absent. Name both.")
    if len(review.comment) > LONGEST_COMMENT:
        raise errors.BadRequest(f"The comment has {len(review.comment)} characters; {LONGEST_COMMENT} are taken.")


def _record(row: tables.Review) -> Review:
    return Review(
        analysis_id=row.analysis_id,
        decision=Decision(row.decision),
        user=row.user,
        finding=row.finding,
        correction=Verdict(row.correction) if row.correction else None,
        comment=row.comment,
        signed=row.signed,
        created=when(row.created_ms),
    )
