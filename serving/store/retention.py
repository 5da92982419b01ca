"""What is older than it may be is removed: answers, reviews, jobs, and the received files themselves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

from sqlalchemy import ColumnElement, CursorResult, Delete, delete, exists, select
from sqlalchemy.orm import Session

from serving.store import tables
from serving.store.database import Database, now_ms
from serving.store.spool import Spool

DAY_MS = 86_400_000
UNFINISHED_JOBS = ("received", "analysing")
UNFINISHED_DELIVERIES = ("waiting", "sending")
# A file whose row is being written at this moment is no orphan.
ORPHAN_AGE_S = 3600.0


@dataclass(frozen=True, kw_only=True)
class Pruned:
    """How much was removed: images with their files, answers with their reviews, studies left with neither."""

    images: int
    analyses: int
    studies: int


def prune(database: Database, spool: Spool | None, *, older_than_days: float) -> Pruned:
    """Removes what came before so many days. An image that still waits for its answer or whose results still wait to be
    sent stays.

    Raises:
        StoreNotReady: the database is away; nothing is removed.
    """
    limit = now_ms() - round(older_than_days * DAY_MS)
    with database.write() as session:
        images = _removed(session, delete(tables.Instance).where(tables.Instance.received_ms < limit, ~_unfinished()))
        told = select(tables.Job.analysis_id)
        analyses = _removed(
            session,
            delete(tables.Analysis).where(tables.Analysis.created_ms < limit, tables.Analysis.analysis_id.not_in(told)),
        )
        studies = _removed(session, delete(tables.Study).where(tables.Study.received_ms < limit, ~_used()))
    if spool is not None:
        sweep(database, spool)
    return Pruned(images=images, analyses=analyses, studies=studies)


def sweep(database: Database, spool: Spool, *, older_than_s: float = ORPHAN_AGE_S) -> int:
    """Removes the spool's files that no row names: those pruned, and those of a sender that heard no success."""
    with database.read() as session:
        named = set(session.scalars(select(tables.Instance.sha256)))
    orphans = [digest for digest in spool.digests(older_than_s=older_than_s) if digest not in named]
    for digest in orphans:
        spool.remove(digest)
    return len(orphans)


def _unfinished() -> ColumnElement[bool]:
    job = exists().where(tables.Job.instance_id == tables.Instance.id, tables.Job.status.in_(UNFINISHED_JOBS))
    delivery = exists().where(
        tables.Job.instance_id == tables.Instance.id,
        tables.Delivery.job_id == tables.Job.id,
        tables.Delivery.status.in_(UNFINISHED_DELIVERIES),
    )
    return job | delivery


def _used() -> ColumnElement[bool]:
    instance = exists().where(tables.Instance.study_id == tables.Study.id)
    return instance | exists().where(tables.Analysis.study_uid == tables.Study.study_uid)


def _removed(session: Session, statement: Delete) -> int:
    done = cast("CursorResult[Any]", session.execute(statement, execution_options={"synchronize_session": False}))
    return int(done.rowcount)
