"""Asks the service, and has the store hold what it said before anybody hears it. No word of gRPC."""

from __future__ import annotations

from dataclasses import replace

from serving.asking import Answer, Question
from serving.hospital import header
from serving.records import Status, StoredAnalysis
from serving.service import Service
from serving.store.store import Store
from zoo import errors
from zoo.results import Analysis


class Recorder:
    """A service with a store behind it."""

    def __init__(self, service: Service, store: Store) -> None:
        self._service = service
        self._store = store

    def analyze(self, question: Question, *, timeout_s: float | None = None) -> Answer:
        """As `Service.analyze`; the answer, or the refusal, is in the store when this returns, or raises.

        Raises:
            StoreNotReady: the store is away; nobody hears the answer.
            BadRequest: `request_id` was that of another image or model.
            As `Service.analyze` otherwise.
        """
        if question.request_id:
            kept = self._store.analyses.of_request(question.request_id)
            if kept is not None:
                return _again(kept, question)
        analysis = self._asked(question, timeout_s)
        kept = self._store.analyses.save(analysis, _header(question), **_names(question))
        if kept.analysis_id != analysis.provenance.analysis_id:  # the same question was being answered beside us
            return _again(kept, question)
        return Answer(
            analysis=analysis if question.embedding else replace(analysis, embedding=None), sequence=kept.sequence
        )

    def _asked(self, question: Question, timeout_s: float | None) -> Analysis:
        model, version = question.model, question.version
        try:
            return self._service.analyze(
                question.image,
                model=model,
                version=version,
                embedding=True,
                timeout_s=timeout_s,
                digest=question.digest,
            )
        except (errors.BadImage, errors.ImageRefused) as refusal:
            self._store.analyses.refuse(
                refusal,
                _header(question),
                model=model,
                version=version,
                image_sha256=question.digest(),
                **_names(question),
            )
            raise


def refusal_of(kept: StoredAnalysis) -> errors.BadImage | errors.ImageRefused:
    """The error that a stored refusal was."""
    kind = errors.ImageRefused if kept.error == errors.ImageRefused.__name__ else errors.BadImage
    return kind(kept.detail, errors.Reason[kept.reason])


def _again(kept: StoredAnalysis, question: Question) -> Answer:
    """What was said the first time, without the pooled features."""
    if (kept.image_sha256, kept.model) != (question.digest(), question.model):
        raise errors.BadRequest(
            "This request_id has been used for another image or model. Take a new one for each question."
        )
    if kept.status is Status.REFUSED:
        raise refusal_of(kept)
    assert kept.analysis is not None
    return Answer(analysis=kept.analysis, sequence=kept.sequence, again=True)


def _header(question: Question) -> header.Header:
    said = header.read(question.image)
    return replace(said, study_uid=question.study_uid or said.study_uid)


def _names(question: Question) -> dict[str, str]:
    return {"request_id": question.request_id, "stream_id": question.stream_id}
