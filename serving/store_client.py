"""What a client asks of a gateway's store: worklist, stored answers, reviews. Needs no TensorFlow, no SQLAlchemy."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import grpc

from serving import stored_messages as messages
from serving.proto.kerascope.v1 import inference_pb2 as pb
from serving.proto.kerascope.v1 import inference_pb2_grpc
from serving.records import Decision, Review, StoredAnalysis, Study
from serving.status import error_of
from zoo.results import Verdict


class StoreClient:
    """The part of `Client` that needs a gateway with a store; without one each method raises BadConfig."""

    address: str
    _stub: inference_pb2_grpc.InferenceStub
    _metadata: Callable[[], tuple[tuple[str, str], ...]]
    _call: Callable[..., Any]
    _connect: Callable[[], None]

    def analysis(self, analysis_id: str) -> StoredAnalysis:
        """One stored answer, with its reviews.

        Raises:
            UnknownRecord: the store has none of this identifier.
            ModelNotReady, StoreNotReady: no gateway answers, or its store is away.
        """
        response = self._call(self._stub.GetAnalysis, pb.GetAnalysisRequest(analysis_id=analysis_id))
        return messages.stored_from_message(response.analysis)

    def analyses(
        self, *, model: str = "", before: int = 0, limit: int = 50, embedding: bool = False
    ) -> list[StoredAnalysis]:
        """Answers and refusals, the newest first.

        Args:
            model: only this model's; empty for all.
            before: `sequence` of the last one of the page before; 0 for the first page.
            limit: how many, at most 500.
            embedding: asks for the pooled features too.

        Raises:
            As `analysis`.
        """
        request = pb.ListAnalysesRequest(model=model, before=before, limit=limit, include_embedding=embedding)
        return [messages.stored_from_message(each) for each in self._call(self._stub.ListAnalyses, request).analyses]

    def studies(self, *, before: int = 0, limit: int = 50) -> list[Study]:
        """The worklist: the newest studies first.

        Args:
            before: `number` of the last study of the page before; 0 for the first page.
            limit: how many, at most 500.

        Raises:
            As `analysis`.
        """
        response = self._call(self._stub.ListStudies, pb.ListStudiesRequest(limit=limit, before=before))
        return [messages.study_from_message(study) for study in response.studies]

    def study(self, study_uid: str) -> tuple[Study, list[StoredAnalysis]]:
        """One study with its answers, oldest first.

        Raises:
            As `analysis`.
        """
        response = self._call(self._stub.GetStudy, pb.GetStudyRequest(study_uid=study_uid))
        return messages.study_from_message(response.study), [
            messages.stored_from_message(stored) for stored in response.analyses
        ]

    def review(
        self,
        analysis_id: str,
        decision: Decision,
        *,
        user: str,
        finding: str = "",
        correction: Verdict | None = None,
        comment: str = "",
        signed: bool = False,
    ) -> Review:
        """Says what a person thinks of an answer; the arguments are those of `Review`.

        Raises:
            BadRequest: the review says nothing clear; the message says why.
            As `analysis` otherwise.
        """
        review = Review(
            analysis_id=analysis_id,
            decision=decision,
            user=user,
            finding=finding,
            correction=correction,
            comment=comment,
            signed=signed,
        )
        request = pb.SubmitReviewRequest(review=messages.review_to_message(review))
        return messages.review_from_message(self._call(self._stub.SubmitReview, request).review)

    def watch(self, *, after: int = -1, model: str = "") -> Iterator[StoredAnalysis]:
        """Every new answer as it comes, until the gateway goes; to go on then, ask again `after` the last `sequence`.

        Args:
            after: -1 for only those to come, 0 for all there are, or the `sequence` of the last one seen.
            model: only this model's; empty for all.

        Raises:
            ModelNotReady: the gateway went, or none answers.
            StoreNotReady: its store is away, or too many are watching.
        """
        self._connect()
        call = self._stub.Watch(pb.WatchRequest(after=after, model=model), metadata=self._metadata())
        try:
            for response in call:
                yield messages.stored_from_message(response.analysis)
        except grpc.RpcError as error:
            raise error_of(error, self.address) from None
        finally:
            call.cancel()

    def similar(self, analysis_id: str, *, limit: int = 5) -> list[tuple[float, StoredAnalysis]]:
        """The answers of the same model and version whose pictures look most alike: cosine similarity and answer.

        Raises:
            BadRequest: the image was refused, so there is nothing to compare.
            As `analysis` otherwise.
        """
        request = pb.FindSimilarRequest(analysis_id=analysis_id, limit=limit)
        found = self._call(self._stub.FindSimilar, request).similar
        return [(each.similarity, messages.stored_from_message(each.analysis)) for each in found]
