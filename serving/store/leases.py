"""How rows of a queue are taken, held and given back, so that a dead worker's row is taken again."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from typing import TypeVar

from sqlalchemy import ColumnElement, and_, or_, select, update
from sqlalchemy.orm import Session

from serving.store.database import now_ms
from serving.store.tables import Delivery, Job

Row = TypeVar("Row", Job, Delivery)

LONGEST_PAUSE_MS = 60_000


def take(session: Session, table: type[Row], *, waiting: str, busy: str, owner: str, lease_s: float) -> Row | None:
    """The oldest row that waits, or whose worker's lease is over; held by `owner` from now on.

    PostgreSQL passes over rows that another transaction is just taking; SQLite has one writer at a time.
    """
    now = now_ms()
    free = _free(table, waiting, busy, now)
    row = session.scalars(
        select(table).where(free).order_by(table.id).limit(1).with_for_update(skip_locked=True)
    ).first()
    if row is not None:
        row.status, row.owner, row.attempts = busy, owner, row.attempts + 1
        row.lease_until_ms, row.updated_ms = now + round(1e3 * lease_s), now
    return row


def waits(session: Session, table: type[Row], *, waiting: str, busy: str) -> bool:
    """Whether there is a row to take; it only looks, so that an idle worker holds nobody up."""
    return session.scalar(select(table.id).where(_free(table, waiting, busy, now_ms())).limit(1)) is not None


def held(session: Session, table: type[Row], number: int, owner: str, busy: str) -> Row | None:
    """The row, if `owner` still holds it; None if its lease ran out and another took it."""
    mine = and_(table.id == number, table.owner == owner, table.status == busy)
    return session.scalars(select(table).where(mine).with_for_update()).first()


class Working:
    """The rows that this process works on now, by number; safe to use from many threads.

    A row that it took and no longer works on, because the database went away at the wrong moment, is not among them:
    its lease runs out, and it is taken again.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._numbers: set[int] = set()

    def add(self, number: int) -> None:
        """Work on it begins."""
        with self._lock:
            self._numbers.add(number)

    def remove(self, number: int) -> None:
        """Work on it has ended, well or not."""
        with self._lock:
            self._numbers.discard(number)

    def numbers(self) -> list[int]:
        """All of them."""
        with self._lock:
            return sorted(self._numbers)


def extend(session: Session, table: type[Row], owner: str, busy: str, lease_s: float, working: Working) -> None:
    """The sign of life of a worker that is still at it."""
    mine = and_(table.owner == owner, table.status == busy, table.id.in_(working.numbers()))
    session.execute(update(table).where(mine).values(lease_until_ms=now_ms() + round(1e3 * lease_s)))


def end(row: Row, status: str, *, reason: str = "", detail: str = "") -> None:
    """The row's last word."""
    row.status, row.reason, row.detail, row.owner, row.updated_ms = status, reason, detail, "", now_ms()


def put_back(row: Row, status: str, *, reason: str = "", detail: str = "") -> None:
    """To be tried again after a pause of 1, 2, 4 ... at most 60 s."""
    end(row, status, reason=reason, detail=detail)
    row.not_before_ms = now_ms() + min(LONGEST_PAUSE_MS, 1000 * 2 ** min(row.attempts - 1, 6))


def revive(session: Session, table: type[Row], *, failed: str, waiting: str) -> int:
    """Puts all that failed back into the queue; their number."""
    rows: Iterable[Row] = session.scalars(select(table).where(table.status == failed)).all()
    count = 0
    for row in rows:
        end(row, waiting)
        row.attempts, row.not_before_ms, count = 0, 0, count + 1
    return count


def _free(table: type[Row], waiting: str, busy: str, now: int) -> ColumnElement[bool]:
    """It waits, and its pause is over; or its worker has died."""
    return or_(
        and_(table.status == waiting, table.not_before_ms <= now),
        and_(table.status == busy, table.lease_until_ms < now),
    )
