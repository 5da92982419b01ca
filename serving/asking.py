"""One question about one image: asked of the service, kept by the store, written into the audit trail."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import grpc

from serving.audit.access import Access, audited
from serving.audit.trail import Audit
from serving.service import Service
from zoo import errors
from zoo.results import Analysis

if TYPE_CHECKING:
    from serving.recorder import Recorder
    from serving.store.store import Store

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, eq=False)
class Question:
    """What one image is asked.

    Attributes:
        image: a whole DICOM, PNG or JPEG file.
        model: its name.
        version: 0 for the newest that answers.
        embedding: asks for the pooled features too.
        request_id: the same question asked again under it is answered from the store, where there is one.
        stream_id: of the stream it came on; kept by the store.
        study_uid: the study it is kept under; empty for the file's own.
    """

    image: bytes
    model: str
    version: int = 0
    embedding: bool = False
    request_id: str = ""
    stream_id: str = ""
    study_uid: str = ""

    def digest(self) -> str:
        """The SHA-256 of the image's bytes in hexadecimal, computed once."""
        return self._sha256

    @cached_property
    def _sha256(self) -> str:
        return hashlib.sha256(self.image).hexdigest()


@dataclass(frozen=True, kw_only=True, eq=False)
class Answer:
    """What is said of it.

    Attributes:
        analysis: the findings.
        sequence: its number in the store; 0 without one.
        again: whether it was in the store before, and no model was asked.
    """

    analysis: Analysis
    sequence: int = 0
    again: bool = False


class Asking:
    """Who asks; safe to use from many threads.

    Args:
        service: what answers.
        store: keeps the answers; None for none.
        audit: keeps who asked; None for none.
    """

    def __init__(self, service: Service, store: Store | None, audit: Audit | None) -> None:
        self._service, self._audit = service, audit
        self._recorder = _recorder(service, store)

    def ask(self, question: Question, context: grpc.ServicerContext, timeout_s: float | None) -> Answer:
        """The answer, in store and trail before it is given.

        Args:
            question: what is asked.
            context: of the caller, for the trail.
            timeout_s: the caller's own limit, where it is shorter than the gateway's.

        Raises:
            As `Service.analyze`, and `Recorder.analyze` where there is a store.
        """
        with audited(self._audit, context, "analyze") as access:
            with about(access, question):
                answer = self._answer(question, timeout_s)
            made_by = answer.analysis.provenance
            access.answered(made_by)
        log.info("analyze %s/%d in %.0f ms", made_by.model, made_by.version, answer.analysis.timings.total_ms)
        return answer

    def _answer(self, question: Question, timeout_s: float | None) -> Answer:
        if self._recorder is not None:
            return self._recorder.analyze(question, timeout_s=timeout_s)
        analysis = self._service.analyze(
            question.image,
            model=question.model,
            version=question.version,
            embedding=question.embedding,
            timeout_s=timeout_s,
            digest=question.digest,
        )
        return Answer(analysis=analysis)


@contextmanager
def about(access: Access, question: Question) -> Iterator[None]:
    """Says of a picture that is turned away which one it was, and by which model: one that the registry knows."""
    try:
        yield
    except (errors.BadImage, errors.ImageRefused):
        access.subject = f"sha256:{question.digest()}"
        access.model, access.version = question.model, question.version
        raise


def _recorder(service: Service, store: Store | None) -> Recorder | None:
    if store is None:
        return None
    from serving.recorder import Recorder  # needs SQLAlchemy

    return Recorder(service, store)
