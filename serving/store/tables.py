"""The store's tables. No column holds a patient's name, identifier or date; times are milliseconds since 1970, UTC.

studies     one row a Study Instance UID
instances   one row an image received by the DICOM node; its file lies in the spool under its digest
jobs        an image and a model: the queue, and how it ended
analyses    what the gateway answered, as the message that went out
reviews     what people said of an analysis; rows are added and never changed
deliveries  results to be sent to a PACS, and how that ended
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Double, ForeignKey, Index, LargeBinary, UniqueConstraint
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

_CASCADE = "CASCADE"


class Base(DeclarativeBase):
    """The root of the tables."""


class Study(Base):
    """A study of which at least one image was received or analysed."""

    __tablename__ = "studies"

    id: Mapped[int] = mapped_column(primary_key=True)
    study_uid: Mapped[str] = mapped_column(unique=True)
    received_ms: Mapped[int] = mapped_column(BigInteger, index=True)


class Instance(Base):
    """An image that was received; `sha256` names its file in the spool."""

    __tablename__ = "instances"

    id: Mapped[int] = mapped_column(primary_key=True)
    study_id: Mapped[int] = mapped_column(ForeignKey("studies.id", ondelete=_CASCADE), index=True)
    instance_uid: Mapped[str] = mapped_column(unique=True)
    sop_class_uid: Mapped[str]
    sha256: Mapped[str] = mapped_column(index=True)
    modality: Mapped[str]
    body_part: Mapped[str]
    view: Mapped[str]
    sender: Mapped[str]
    received_ms: Mapped[int] = mapped_column(BigInteger, index=True)


class Leased:
    """What a queue's rows share: a worker holds a row for a while, and holds it no more when it has died."""

    status: Mapped[str]
    attempts: Mapped[int] = mapped_column(default=0)
    not_before_ms: Mapped[int] = mapped_column(BigInteger, default=0)
    owner: Mapped[str] = mapped_column(default="")
    lease_until_ms: Mapped[int] = mapped_column(BigInteger, default=0)
    reason: Mapped[str] = mapped_column(default="")
    detail: Mapped[str] = mapped_column(default="")
    updated_ms: Mapped[int] = mapped_column(BigInteger)


class Job(Leased, Base):
    """An image to be asked about at one model: received, analysing, done, refused or failed."""

    __tablename__ = "jobs"
    __table_args__ = (
        UniqueConstraint("instance_id", "model"),
        Index("ix_jobs_queue", "status", "not_before_ms"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    request_id: Mapped[str] = mapped_column(unique=True)
    instance_id: Mapped[int] = mapped_column(ForeignKey("instances.id", ondelete=_CASCADE))
    model: Mapped[str]
    analysis_id: Mapped[str] = mapped_column(default="")


class Analysis(Base):
    """An answer: done, with the message, or refused, with the reason."""

    __tablename__ = "analyses"
    __table_args__ = ({"sqlite_autoincrement": True},)  # a number is never given twice, so that a watcher can go on

    sequence: Mapped[int] = mapped_column(primary_key=True)
    analysis_id: Mapped[str] = mapped_column(unique=True)
    request_id: Mapped[str | None] = mapped_column(unique=True)
    stream_id: Mapped[str | None] = mapped_column(index=True)
    created_ms: Mapped[int] = mapped_column(BigInteger, index=True)
    model: Mapped[str] = mapped_column(index=True)
    version: Mapped[int] = mapped_column(BigInteger)
    status: Mapped[str]
    error: Mapped[str]
    reason: Mapped[str]
    detail: Mapped[str]
    image_sha256: Mapped[str] = mapped_column(index=True)
    study_uid: Mapped[str] = mapped_column(index=True)
    instance_uid: Mapped[str]
    message: Mapped[bytes] = mapped_column(LargeBinary)
    embedding: Mapped[bytes | None] = mapped_column(LargeBinary)
    caution_ratio: Mapped[float | None] = mapped_column(Double)  # of the message's caution; none where it carries none


class Review(Base):
    """What one person said of one analysis."""

    __tablename__ = "reviews"

    id: Mapped[int] = mapped_column(primary_key=True)
    analysis_id: Mapped[str] = mapped_column(ForeignKey("analyses.analysis_id", ondelete=_CASCADE), index=True)
    finding: Mapped[str]
    decision: Mapped[str]
    correction: Mapped[str]
    comment: Mapped[str]
    user: Mapped[str]
    signed: Mapped[bool]
    created_ms: Mapped[int] = mapped_column(BigInteger)


class Delivery(Leased, Base):
    """A result to be sent to a PACS: waiting, sending, sent or failed."""

    __tablename__ = "deliveries"
    __table_args__ = (
        UniqueConstraint("job_id", "kind", "destination"),
        Index("ix_deliveries_queue", "status", "not_before_ms"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    job_id: Mapped[int] = mapped_column(ForeignKey("jobs.id", ondelete=_CASCADE))
    kind: Mapped[str]
    destination: Mapped[str]
