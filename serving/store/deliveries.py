"""Results on their way to a PACS: each is tried until the PACS has said that it has it."""

from __future__ import annotations

import uuid
from dataclasses import dataclass

from sqlalchemy import select

from serving.store import leases, tables
from serving.store.database import Database

WAITING, BUSY, SENT, FAILED = "waiting", "sending", "sent", "failed"


@dataclass(frozen=True, kw_only=True)
class Delivery:
    """One result to be sent.

    Attributes:
        number: the delivery's.
        kind: which result: its name in the node's file.
        destination: the AE title of where it goes.
        analysis_id: of the answer it tells.
        sha256: the source image's file in the spool.
        attempts: how often it was tried, this time included.
    """

    number: int
    kind: str
    destination: str
    analysis_id: str
    sha256: str
    attempts: int


class Deliveries:
    """The table of deliveries; the arguments are those of `Queue`."""

    def __init__(self, database: Database, *, owner: str = "", lease_s: float = 5.0) -> None:
        self._database = database
        self._owner = owner or uuid.uuid4().hex
        self._lease_s = lease_s
        self._working = leases.Working()

    def take(self) -> Delivery | None:
        """The next one, held by this process; None if there is none."""
        with self._database.read() as session:
            if not leases.waits(session, tables.Delivery, waiting=WAITING, busy=BUSY):
                return None
        with self._database.write() as session:
            row = leases.take(
                session, tables.Delivery, waiting=WAITING, busy=BUSY, owner=self._owner, lease_s=self._lease_s
            )
            if row is None:
                return None
            job = session.get_one(tables.Job, row.job_id)
            delivery = Delivery(
                number=row.id,
                kind=row.kind,
                destination=row.destination,
                analysis_id=job.analysis_id,
                sha256=session.get_one(tables.Instance, job.instance_id).sha256,
                attempts=row.attempts,
            )
        self._working.add(delivery.number)
        return delivery

    def let_go(self, delivery: Delivery) -> None:
        """As `Queue.let_go`."""
        self._working.remove(delivery.number)

    def alive(self) -> None:
        """Keeps what this process works on for another lease."""
        with self._database.write() as session:
            leases.extend(session, tables.Delivery, self._owner, BUSY, self._lease_s, self._working)

    def sent(self, delivery: Delivery) -> None:
        """The PACS has it."""
        self._end(delivery, SENT)

    def failed(self, delivery: Delivery, reason: str, detail: str) -> None:
        """Trying again does not help."""
        self._end(delivery, FAILED, reason, detail)

    def later(self, delivery: Delivery, reason: str, detail: str) -> None:
        """To be tried again after a pause of 1, 2, 4 ... at most 60 s."""
        with self._database.write() as session:
            row = leases.held(session, tables.Delivery, delivery.number, self._owner, BUSY)
            if row is not None:
                leases.put_back(row, WAITING, reason=reason, detail=detail)

    def retry(self) -> int:
        """Puts every failed one back into the queue; their number."""
        with self._database.write() as session:
            return leases.revive(session, tables.Delivery, failed=FAILED, waiting=WAITING)

    def counts(self) -> dict[str, int]:
        """How many there are in each state."""
        with self._database.read() as session:
            states = list(session.scalars(select(tables.Delivery.status)))
        return {status: states.count(status) for status in (WAITING, BUSY, SENT, FAILED)}

    def _end(self, delivery: Delivery, status: str, reason: str = "", detail: str = "") -> None:
        with self._database.write() as session:
            row = leases.held(session, tables.Delivery, delivery.number, self._owner, BUSY)
            if row is not None:
                leases.end(row, status, reason=reason, detail=detail)
