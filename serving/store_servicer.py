"""The gateway's methods that need a store: messages into calls of it, and its records into messages."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

import grpc
import numpy as np

from serving import stored_messages as messages
from serving.audit.access import audited, author
from serving.audit.trail import Audit
from serving.proto.kerascope.v1 import inference_pb2 as pb
from serving.proto.kerascope.v1 import inference_pb2_grpc
from serving.records import StoredAnalysis
from serving.status import abort_on_error
from zoo import errors

if TYPE_CHECKING:
    from serving.store.store import Store

POLL_S = 0.2
PAGE, MOST_STUDIES = 50, 500
NEIGHBOURS, MOST_NEIGHBOURS = 5, 100


class StoreServicer(inference_pb2_grpc.InferenceServicer):
    """kerascope.v1.Inference, what concerns the store.

    Args:
        store: None where the gateway has none; each method then says so.
        audit: None likewise.
        watchers: how many may watch at once.
    """

    def __init__(self, store: Store | None, audit: Audit | None, watchers: int) -> None:
        self._kept = store
        self._audit = audit
        self._watchers = threading.BoundedSemaphore(watchers)
        self._stopping = threading.Event()

    def stop(self) -> None:
        """Lets every watcher go."""
        self._stopping.set()

    @property
    def _store(self) -> Store:
        if self._kept is None:
            raise errors.BadConfig(
                "This gateway has no store: it keeps neither analyses nor reviews. Start it with KERASCOPE_STORE set."
            )
        return self._kept

    def GetAnalysis(self, request: pb.GetAnalysisRequest, context: grpc.ServicerContext) -> pb.GetAnalysisResponse:
        """One stored analysis."""
        with abort_on_error(context), audited(self._audit, context, "read") as access:
            stored = self._store.analyses.get(request.analysis_id)
            access.about(stored)
            return pb.GetAnalysisResponse(analysis=messages.stored_to_message(stored))

    def ListAnalyses(self, request: pb.ListAnalysesRequest, context: grpc.ServicerContext) -> pb.ListAnalysesResponse:
        """A page of all answers."""
        with abort_on_error(context), audited(self._audit, context, "list"):
            limit = _limit(request.limit, PAGE, MOST_STUDIES)
            page = self._store.analyses.page(
                before=request.before, model=request.model, limit=limit, embedding=request.include_embedding
            )
            return pb.ListAnalysesResponse(analyses=map(messages.stored_to_message, page))

    def ListStudies(self, request: pb.ListStudiesRequest, context: grpc.ServicerContext) -> pb.ListStudiesResponse:
        """A page of the worklist."""
        with abort_on_error(context), audited(self._audit, context, "list"):
            limit = _limit(request.limit, PAGE, MOST_STUDIES)
            studies = self._store.worklist.studies(before=request.before, limit=limit)
            return pb.ListStudiesResponse(studies=map(messages.study_to_message, studies))

    def GetStudy(self, request: pb.GetStudyRequest, context: grpc.ServicerContext) -> pb.GetStudyResponse:
        """One study with its analyses."""
        with abort_on_error(context), audited(self._audit, context, "read") as access:
            study = self._store.worklist.study(request.study_uid)
            access.subject = f"study:{study.study_uid}"
            analyses = self._store.analyses.of_study(request.study_uid)
            return pb.GetStudyResponse(
                study=messages.study_to_message(study), analyses=map(messages.stored_to_message, analyses)
            )

    def SubmitReview(self, request: pb.SubmitReviewRequest, context: grpc.ServicerContext) -> pb.SubmitReviewResponse:
        """A review, kept."""
        with abort_on_error(context), audited(self._audit, context, "review") as access:
            said = messages.review_from_message(request.review)
            review = replace(said, user=author(context, said.user))
            access.about(self._store.analyses.get(review.analysis_id))
            return pb.SubmitReviewResponse(review=messages.review_to_message(self._store.reviews.add(review)))

    def FindSimilar(self, request: pb.FindSimilarRequest, context: grpc.ServicerContext) -> pb.FindSimilarResponse:
        """The most similar pictures of one model's answers."""
        with abort_on_error(context), audited(self._audit, context, "find-similar") as access:
            analyses, limit = self._store.analyses, _limit(request.limit, NEIGHBOURS, MOST_NEIGHBOURS)
            asked = analyses.get(request.analysis_id)
            access.about(asked)
            found = analyses.similar(
                analyses.embedding(asked.analysis_id), model=asked.model, version=asked.version, limit=limit + 1
            )
            others = [(alike, name) for alike, name in found if name != asked.analysis_id][:limit]
            return pb.FindSimilarResponse(
                similar=[
                    pb.Similar(
                        similarity=float(np.clip(alike, -1, 1)), analysis=messages.stored_to_message(analyses.get(name))
                    )
                    for alike, name in others
                ]
            )

    def Watch(self, request: pb.WatchRequest, context: grpc.ServicerContext) -> Iterator[pb.WatchResponse]:
        """Every new analysis."""
        with abort_on_error(context), self._place():
            with audited(self._audit, context, "watch"):
                after = request.after if request.after >= 0 else self._store.analyses.newest()
            for stored in self._new(after, request.model, context):
                yield pb.WatchResponse(analysis=messages.stored_to_message(stored))

    def _new(self, after: int, model: str, context: grpc.ServicerContext) -> Iterator[StoredAnalysis]:
        while context.is_active() and not self._stopping.is_set():
            page = self._store.analyses.since(after, model=model, limit=20)
            yield from page
            if page:
                after = page[-1].sequence
            else:
                self._stopping.wait(POLL_S)

    @contextmanager
    def _place(self) -> Iterator[None]:
        if not self._watchers.acquire(blocking=False):
            raise errors.StoreNotReady("As many callers are watching as the gateway allows. Ask again later.")
        try:
            yield
        finally:
            self._watchers.release()


def _limit(asked: int, usual: int, most: int) -> int:
    if not 0 <= asked <= most:
        raise errors.BadRequest(f"The limit is {asked}; it is between 1 and {most}, or 0 for {usual}.")
    return asked or usual
