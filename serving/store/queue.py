"""The queue: images received, each with the models to be asked, until each has its answer."""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from serving.hospital.header import Header
from serving.records import Status
from serving.store import leases, tables
from serving.store.analyses import add_study
from serving.store.database import PAUSING, Database, now_ms

NO_RULE = "NO_RULE"
MOST_VALUES = 500  # in one statement; SQLite takes 32,766, older ones 999
AWAY_MS = 1000
WAITING, BUSY, DONE = Status.RECEIVED.value, Status.ANALYSING.value, Status.DONE.value


@dataclass(frozen=True, kw_only=True)
class Job:
    """An image to be asked about.

    Attributes:
        number: the job's.
        request_id: under which the gateway is asked, so that asking twice makes one answer.
        model: the model to ask.
        sha256: the image's file in the spool.
        instance_uid: the image's SOP Instance UID.
        attempts: how often it was taken, this time included.
    """

    number: int
    request_id: str
    model: str
    sha256: str
    instance_uid: str
    attempts: int


class Queue:
    """The tables of studies, instances and jobs.

    Args:
        owner: names this process among the workers; a random one.
        lease_s: how long a job stays with a worker that shows no sign of life.
    """

    def __init__(self, database: Database, *, owner: str = "", lease_s: float = 5.0) -> None:
        self._database = database
        self._owner = owner or uuid.uuid4().hex
        self._lease_s = lease_s
        self._working = leases.Working()

    def receive(self, header: Header, sha256: str, *, sender: str, models: Sequence[str]) -> int:
        """Takes an image into the queue; when this returns, it is there.

        An image that came before (the same SOP Instance UID) asks no model twice, and is kept as it first came, unless
        it asks another one after all have answered.

        Args:
            header: of the file, with study and instance UID.
            sha256: its name in the spool.
            sender: the AE title that sent it.
            models: to be asked; none makes it refused, with the reason NO_RULE.

        Returns:
            How many jobs are new.

        Raises:
            StoreNotReady: the database is away; nothing is kept.
        """
        try:
            return self._receive(header, sha256, sender, models)
        except IntegrityError:  # the same image came on two connections at once, and the other one was first
            return self._receive(header, sha256, sender, models)

    def _receive(self, header: Header, sha256: str, sender: str, models: Sequence[str]) -> int:
        with self._database.write() as session:
            instance = _instance(session, header, sha256, sender)
            mine = select(tables.Job).where(tables.Job.instance_id == instance.id)
            jobs = {job.model: job.status for job in session.scalars(mine)}
            new = [model for model in models or ("",) if model not in jobs]
            if new and not {WAITING, BUSY} & set(jobs.values()):
                instance.sha256 = sha256  # what came first may be gone, and a copy without names in its place
            for model in new:
                session.add(_job(instance.id, model))
        return len(new)

    def known(self, instance_uids: Sequence[str]) -> set[str]:
        """Those of the images (SOP Instance UIDs) that were received before and are not removed yet."""
        there: set[str] = set()
        with self._database.read() as session:
            for begin in range(0, len(instance_uids), MOST_VALUES):
                some = instance_uids[begin : begin + MOST_VALUES]
                known = select(tables.Instance.instance_uid).where(tables.Instance.instance_uid.in_(some))
                there.update(session.scalars(known))
        return there

    def take(self) -> Job | None:
        """The next job, held by this process; None if there is none."""
        with self._database.read() as session:
            if not leases.waits(session, tables.Job, waiting=WAITING, busy=BUSY):
                return None
        with self._database.write() as session:
            row = leases.take(session, tables.Job, waiting=WAITING, busy=BUSY, owner=self._owner, lease_s=self._lease_s)
            if row is None:
                return None
            instance = session.get_one(tables.Instance, row.instance_id)
            job = Job(
                number=row.id,
                request_id=row.request_id,
                model=row.model,
                sha256=instance.sha256,
                instance_uid=instance.instance_uid,
                attempts=row.attempts,
            )
        self._working.add(job.number)
        return job

    def let_go(self, job: Job) -> None:
        """Nobody works on it any more. If the store did not hear how it ended, it is taken again after a lease."""
        self._working.remove(job.number)

    def alive(self) -> None:
        """Keeps what this process works on for another lease."""
        with self._database.write() as session:
            leases.extend(session, tables.Job, self._owner, BUSY, self._lease_s, self._working)

    def done(self, job: Job, analysis_id: str, results: Sequence[tuple[str, str]] = ()) -> bool:
        """The job's answer is in the store; its results, (kind, destination) each, are to be sent.

        Returns:
            False if the lease ran out and another worker holds the job.
        """
        with self._database.write() as session:
            row = leases.held(session, tables.Job, job.number, self._owner, BUSY)
            if row is None:
                return False
            leases.end(row, DONE)
            row.analysis_id = analysis_id
            for kind, destination in results:
                session.add(
                    tables.Delivery(
                        job_id=row.id, kind=kind, destination=destination, status="waiting", updated_ms=now_ms()
                    )
                )
        return True

    def refused(self, job: Job, reason: str, detail: str) -> None:
        """The image is not for this model."""
        self._end(job, Status.REFUSED, reason, detail)

    def failed(self, job: Job, reason: str, detail: str) -> None:
        """Nobody could answer, and asking again does not help."""
        self._end(job, Status.FAILED, reason, detail)

    def later(self, job: Job, reason: str, detail: str) -> None:
        """To be asked again after a pause of 1, 2, 4 ... at most 60 s."""
        with self._database.write() as session:
            row = leases.held(session, tables.Job, job.number, self._owner, BUSY)
            if row is not None:
                leases.put_back(row, WAITING, reason=reason, detail=detail)

    def away(self, job: Job, reason: str, detail: str) -> None:
        """Nobody answers for the model, whatever the image: every job of the model waits for a second, and no try is
        counted. So a long absence costs little, and all go on within a second of its end."""
        with self._database.write() as session:
            self._database.alone(session, PAUSING)  # the same rows, by several workers at once
            row = leases.held(session, tables.Job, job.number, self._owner, BUSY)
            if row is None:
                return
            leases.end(row, WAITING, reason=reason, detail=detail)
            row.attempts, row.not_before_ms = row.attempts - 1, now_ms() + AWAY_MS
            others = update(tables.Job).where(
                tables.Job.model == row.model,
                tables.Job.status == WAITING,
                tables.Job.not_before_ms < row.not_before_ms,
            )
            session.execute(others.values(not_before_ms=row.not_before_ms))

    def retry(self) -> int:
        """Puts every failed job back into the queue; their number."""
        with self._database.write() as session:
            return leases.revive(session, tables.Job, failed=Status.FAILED.value, waiting=WAITING)

    def counts(self) -> dict[str, int]:
        """How many jobs there are in each state."""
        with self._database.read() as session:
            found: dict[str, int] = defaultdict(int)
            for status in session.scalars(select(tables.Job.status)):
                found[status] += 1
        return {status.value: found[status.value] for status in Status}

    def _end(self, job: Job, status: Status, reason: str, detail: str) -> None:
        with self._database.write() as session:
            row = leases.held(session, tables.Job, job.number, self._owner, BUSY)
            if row is not None:
                leases.end(row, status.value, reason=reason, detail=detail)


def _instance(session: Session, header: Header, sha256: str, sender: str) -> tables.Instance:
    known = session.scalars(select(tables.Instance).where(tables.Instance.instance_uid == header.instance_uid)).first()
    if known is not None:
        return known
    add_study(session, header.study_uid)
    study = session.scalars(select(tables.Study).where(tables.Study.study_uid == header.study_uid)).one()
    instance = tables.Instance(
        study_id=study.id,
        instance_uid=header.instance_uid,
        sop_class_uid=header.sop_class_uid,
        sha256=sha256,
        modality=header.modality,
        body_part=header.body_part,
        view=header.view,
        sender=sender,
        received_ms=now_ms(),
    )
    session.add(instance)
    session.flush()
    return instance


def _job(instance_id: int, model: str) -> tables.Job:
    status, reason = (WAITING, "") if model else (Status.REFUSED.value, NO_RULE)
    return tables.Job(
        request_id=uuid.uuid4().hex,
        instance_id=instance_id,
        model=model,
        status=status,
        reason=reason,
        updated_ms=now_ms(),
    )
