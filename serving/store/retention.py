"""What is older than it may be is removed: answers, reviews, jobs, and the received files themselves."""

from __future__ import annotations

from collections.abc import Sequence
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
FAILED = ("failed",)
MOST_VALUES = 500  # in one statement; SQLite takes 32,766, older ones 999
# A file whose row is being written at this moment is no orphan.
ORPHAN_AGE_S = 3600.0


@dataclass(frozen=True, kw_only=True)
class Pruned:
    """How much was removed: images with their files, answers with their reviews, studies left with neither."""

    images: int
    analyses: int
    studies: int


def prune(database: Database, folders: Sequence[Spool], *, older_than_days: float) -> Pruned:
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
    for folder in folders:
        sweep(database, folder)
    return Pruned(images=images, analyses=analyses, studies=studies)


def sweep(database: Database, spool: Spool, *, older_than_s: float = ORPHAN_AGE_S) -> int:
    """Removes the spool's files that no row names: those pruned, and those of a sender that heard no success."""
    with database.read() as session:
        named = set(session.scalars(select(tables.Instance.sha256)))
    orphans = [digest for digest in spool.digests(older_than_s=older_than_s) if digest not in named]
    for digest in orphans:
        spool.remove(digest)
    return len(orphans)


def finished(database: Database, digests: Sequence[str]) -> set[str]:
    """Those of the received files whose every job is done or refused, and whose every result is sent. What has failed
    is not among them: it may be tried again.
    """
    there: set[str] = set()
    with database.read() as session:
        for begin in range(0, len(digests), MOST_VALUES):
            some = digests[begin : begin + MOST_VALUES]
            named = select(tables.Instance.sha256).where(tables.Instance.sha256.in_(some))
            waited_for = set(session.scalars(named.where(_unfinished(FAILED))))
            there |= set(session.scalars(named)) - waited_for
    return there


def _unfinished(besides: tuple[str, ...] = ()) -> ColumnElement[bool]:
    job = exists().where(tables.Job.instance_id == tables.Instance.id, tables.Job.status.in_(UNFINISHED_JOBS + besides))
    delivery = exists().where(
        tables.Job.instance_id == tables.Instance.id,
        tables.Delivery.job_id == tables.Job.id,
        tables.Delivery.status.in_(UNFINISHED_DELIVERIES + besides),
    )
    return job | delivery


def _used() -> ColumnElement[bool]:
    instance = exists().where(tables.Instance.study_id == tables.Study.id)
    return instance | exists().where(tables.Analysis.study_uid == tables.Study.study_uid)


def _removed(session: Session, statement: Delete) -> int:
    done = cast("CursorResult[Any]", session.execute(statement, execution_options={"synchronize_session": False}))
    return int(done.rowcount)
