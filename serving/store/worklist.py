"""The studies, for people: what came, what was asked, and where it stands."""

from __future__ import annotations

from collections import defaultdict

from sqlalchemy import select
from sqlalchemy.orm import Session

from serving.records import Status, Study, StudyItem
from serving.store import tables
from serving.store.database import Database, when
from zoo import errors


class Worklist:
    """The table of studies, with what belongs to each."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def studies(self, *, before: int = 0, limit: int = 50) -> list[Study]:
        """The newest studies, newest first; `before` a study's number, the ones after that in the list."""
        query = select(tables.Study).order_by(tables.Study.id.desc()).limit(limit)
        if before:
            query = query.where(tables.Study.id < before)
        with self._database.read() as session:
            return _studies(session, list(session.scalars(query)))

    def study(self, study_uid: str) -> Study:
        """One study.

        Raises:
            UnknownRecord: the store has none of this UID.
        """
        with self._database.read() as session:
            found = _studies(
                session, list(session.scalars(select(tables.Study).where(tables.Study.study_uid == study_uid)))
            )
        if not found:
            raise errors.UnknownRecord(
                "The store holds no study of this UID. It was never received, or removed when its time was over."
            )
        return found[0]


def _studies(session: Session, rows: list[tables.Study]) -> list[Study]:
    items = _items(session, rows)
    return [
        Study(number=row.id, study_uid=row.study_uid, received=when(row.received_ms), items=tuple(items[row.study_uid]))
        for row in rows
    ]


def _items(session: Session, rows: list[tables.Study]) -> dict[str, list[StudyItem]]:
    """What was received, then what was asked without having been received."""
    uids = {row.id: row.study_uid for row in rows}
    items: dict[str, list[StudyItem]] = defaultdict(list)
    jobs = (
        select(tables.Instance.study_id, tables.Instance.instance_uid, tables.Job, tables.Analysis.caution_ratio)
        .join(tables.Job, tables.Job.instance_id == tables.Instance.id)
        .join(tables.Analysis, tables.Analysis.analysis_id == tables.Job.analysis_id, isouter=True)
        .where(tables.Instance.study_id.in_(uids))
        .order_by(tables.Job.id)
    )
    for study_id, instance_uid, job, caution_ratio in session.execute(jobs):
        items[uids[study_id]].append(_item(instance_uid, job, caution_ratio))
    request, jobs_own = tables.Analysis.request_id, select(tables.Job.request_id).scalar_subquery()
    query = (
        select(tables.Analysis)
        .where(tables.Analysis.study_uid.in_(uids.values()), request.is_(None) | request.not_in(jobs_own))
        .order_by(tables.Analysis.sequence)
    )
    for row in session.scalars(query):
        items[row.study_uid].append(_item(row.instance_uid, row, row.caution_ratio))
    return items


def _item(instance_uid: str, row: tables.Job | tables.Analysis, caution_ratio: float | None) -> StudyItem:
    return StudyItem(
        instance_uid=instance_uid,
        model=row.model,
        status=Status(row.status),
        reason=row.reason,
        analysis_id=row.analysis_id,
        caution_ratio=caution_ratio,
    )
