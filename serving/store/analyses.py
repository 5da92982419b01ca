"""The gateway's answers in the store: kept before they leave, found again, watched and compared."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from sqlalchemy import Select, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from serving import messages
from serving.proto.kerascope.v1 import inference_pb2 as pb
from serving.records import Status, StoredAnalysis
from serving.store import reviews, tables
from serving.store.database import NUMBERING, Database, now_ms, when
from zoo import errors
from zoo.results import Analysis, FloatArray

if TYPE_CHECKING:
    from serving.hospital.header import Header


class Analyses:
    """The table of answers."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def save(self, analysis: Analysis, header: Header, *, request_id: str = "", stream_id: str = "") -> StoredAnalysis:
        """Keeps an answer; when this returns, it is there.

        Args:
            analysis: what the model said.
            header: whose image it was about; an empty one for PNG and JPEG.
            request_id: of the question; where an answer to it is there already, that one is given back and none added.
            stream_id: of the stream that the question came on; empty for none.

        Raises:
            StoreNotReady: the database is away.
        """
        bare = messages.analysis_to_message(replace(analysis, embedding=None))
        made_by, caution = analysis.provenance, analysis.caution
        return self._insert(
            header,
            request_id,
            stream_id,
            analysis_id=made_by.analysis_id,
            model=made_by.model,
            version=made_by.version,
            status=Status.DONE.value,
            image_sha256=made_by.image_sha256,
            message=bare.SerializeToString(),
            embedding=None if analysis.embedding is None else analysis.embedding.astype("<f4").tobytes(),
            caution_ratio=None if caution is None else caution.ratio,
        )

    def refuse(
        self,
        refusal: errors.BadImage | errors.ImageRefused,
        header: Header,
        *,
        model: str,
        version: int,
        image_sha256: str,
        request_id: str = "",
        stream_id: str = "",
    ) -> StoredAnalysis:
        """Keeps a refusal, as `save` keeps an answer; `version` is the one asked for."""
        return self._insert(
            header,
            request_id,
            stream_id,
            analysis_id=uuid.uuid4().hex,
            model=model,
            version=version,
            status=Status.REFUSED.value,
            error=type(refusal).__name__,
            reason=refusal.reason.value,
            detail=str(refusal),
            image_sha256=image_sha256,
        )

    def get(self, analysis_id: str) -> StoredAnalysis:
        """One answer, with its reviews.

        Raises:
            UnknownRecord: the store has none of this identifier.
        """
        with self._database.read() as session:
            row = session.scalars(_select().where(tables.Analysis.analysis_id == analysis_id)).first()
            if row is None:
                raise errors.UnknownRecord(
                    "The store holds no analysis of this identifier. It may have been removed when its time was over; "
                    "an answer carries its identifier in provenance.analysis_id."
                )
            return _records(session, [row])[0]

    def of_request(self, request_id: str) -> StoredAnalysis | None:
        """The answer to a question that was asked under this identifier; None if there is none."""
        with self._database.read() as session:
            row = session.scalars(_select().where(tables.Analysis.request_id == request_id)).first()
            return _records(session, [row])[0] if row is not None else None

    def of_stream(self, stream_id: str, *, after: int = 0, limit: int = 100) -> list[tuple[str, StoredAnalysis]]:
        """The next answers of one stream after a number, oldest first: the request's identifier, and the answer."""
        of_it = (tables.Analysis.stream_id == stream_id, tables.Analysis.sequence > after)
        query = _select().where(*of_it).order_by(tables.Analysis.sequence).limit(limit)
        with self._database.read() as session:
            rows = session.scalars(query).all()
            return [(row.request_id or "", kept) for row, kept in zip(rows, _records(session, rows), strict=True)]

    def of_study(self, study_uid: str) -> list[StoredAnalysis]:
        """A study's answers, oldest first."""
        with self._database.read() as session:
            of_it = tables.Analysis.study_uid == study_uid
            return _records(session, session.scalars(_select().where(of_it).order_by(tables.Analysis.sequence)).all())

    def since(self, sequence: int, *, model: str = "", limit: int = 100) -> list[StoredAnalysis]:
        """The next answers after a number, oldest first; of every model if none is named."""
        query = _select().where(tables.Analysis.sequence > sequence).order_by(tables.Analysis.sequence).limit(limit)
        if model:
            query = query.where(tables.Analysis.model == model)
        with self._database.read() as session:
            return _records(session, session.scalars(query).all())

    def page(
        self, *, before: int = 0, model: str = "", limit: int = 50, embedding: bool = False
    ) -> list[StoredAnalysis]:
        """Answers newest first, with their pooled features if asked; those before a number if one is given, and of
        every model if none is named.
        """
        query = _select().order_by(tables.Analysis.sequence.desc()).limit(limit)
        if before:
            query = query.where(tables.Analysis.sequence < before)
        if model:
            query = query.where(tables.Analysis.model == model)
        with self._database.read() as session:
            rows = session.scalars(query).all()
            found = _records(session, rows)
        return [_with_features(*each) for each in zip(found, rows, strict=True)] if embedding else found

    def newest(self) -> int:
        """The highest number so far; 0 where there is no answer."""
        with self._database.read() as session:
            return (
                session.scalars(select(tables.Analysis.sequence).order_by(tables.Analysis.sequence.desc())).first() or 0
            )

    def embedding(self, analysis_id: str) -> FloatArray:
        """The pooled features of one answer, float32 [K].

        Raises:
            BadRequest: it was a refusal, which has none.
        """
        with self._database.read() as session:
            of_it = tables.Analysis.analysis_id == analysis_id
            kept = session.scalar(select(tables.Analysis.embedding).where(of_it))
        if kept is None:
            raise errors.BadRequest("This image was refused: it has no features to compare. Name another analysis.")
        return np.frombuffer(kept, "<f4")

    def similar(self, embedding: FloatArray, *, model: str, version: int, limit: int) -> list[tuple[float, str]]:
        """The answers of one model and version whose pictures look most alike to it.

        Args:
            embedding: float32 [K], the pooled features.
            model: its name.
            version: its version; features of two versions have nothing in common.
            limit: how many.

        Returns:
            (cosine similarity in [-1, 1], analysis identifier), most alike first.
        """
        columns = (tables.Analysis.analysis_id, tables.Analysis.embedding)
        with self._database.read() as session:
            rows = session.execute(
                select(*columns).where(
                    tables.Analysis.model == model,
                    tables.Analysis.version == version,
                    tables.Analysis.embedding.is_not(None),
                )
            ).all()
        known = [(row[0], np.frombuffer(row[1], "<f4")) for row in rows if row[1] is not None]
        alike = cosine(embedding, [vector for _, vector in known])
        order = np.argsort(-alike, kind="stable")[:limit]
        return [(float(alike[index]), known[index][0]) for index in order]

    def _insert(self, header: Header, request_id: str, stream_id: str, **values: object) -> StoredAnalysis:
        row = {"error": "", "reason": "", "detail": "", "message": b"", "embedding": None} | values
        row |= {"request_id": request_id or None, "stream_id": stream_id or None, "created_ms": now_ms()}
        row |= {"study_uid": header.study_uid, "instance_uid": header.instance_uid}
        with self._database.write() as session:
            self._database.alone(session, NUMBERING)  # a number is visible before any higher one is
            add_study(session, header.study_uid)
            statement = _dialect(session).insert(tables.Analysis).values(**row).on_conflict_do_nothing()
            new = session.scalars(statement.returning(tables.Analysis)).first()
            if new is not None:
                return _record(new, ())
            key = "request_id" if request_id else "analysis_id"
            kept = session.scalars(_select().where(getattr(tables.Analysis, key) == row[key])).one()
            return _records(session, [kept])[0]


def add_study(session: Session, study_uid: str) -> None:
    """Sees to it that the study has a row, unless the file named none."""
    if study_uid:
        row = {"study_uid": study_uid, "received_ms": now_ms()}
        session.execute(_dialect(session).insert(tables.Study).values(**row).on_conflict_do_nothing())


def cosine(vector: FloatArray, others: Sequence[FloatArray]) -> FloatArray:
    """How alike `vector` [K] is to each of `others` [K]: <a, b> / (|a| |b|), 0 where one of them is all zeros."""
    if not others:
        return np.zeros(0, np.float32)
    matrix = np.stack(others)
    lengths = np.linalg.norm(matrix, axis=1) * np.linalg.norm(vector)
    return np.divide(matrix @ vector, lengths, out=np.zeros(len(matrix), np.float32), where=lengths > 0)


def _dialect(session: Session) -> Any:  # two modules, each with its own `insert`
    return sqlite if session.get_bind().dialect.name == "sqlite" else postgresql


def _select() -> Select[tables.Analysis]:
    return select(tables.Analysis)


def _records(session: Session, rows: Iterable[tables.Analysis]) -> list[StoredAnalysis]:
    rows = list(rows)
    said = reviews.of(session, [row.analysis_id for row in rows])
    return [_record(row, said.get(row.analysis_id, ())) for row in rows]


def _with_features(stored: StoredAnalysis, row: tables.Analysis) -> StoredAnalysis:
    if stored.analysis is None or row.embedding is None:
        return stored
    return replace(stored, analysis=replace(stored.analysis, embedding=np.frombuffer(row.embedding, "<f4")))


def _record(row: tables.Analysis, said: tuple[reviews.Review, ...]) -> StoredAnalysis:
    message = pb.AnalyzeResponse.FromString(row.message) if row.message else None
    return StoredAnalysis(
        sequence=row.sequence,
        analysis_id=row.analysis_id,
        created=when(row.created_ms),
        model=row.model,
        version=row.version,
        status=Status(row.status),
        image_sha256=row.image_sha256,
        study_uid=row.study_uid,
        instance_uid=row.instance_uid,
        analysis=messages.analysis_from_message(message) if message else None,
        error=row.error,
        reason=row.reason,
        detail=row.detail,
        reviews=said,
    )
