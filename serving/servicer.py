"""Turns messages into calls of the `Service`, and its answers into messages."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import grpc

from serving import messages
from serving.asking import Asking, Question, about
from serving.audit.access import audited
from serving.audit.trail import Audit
from serving.proto.kerascope.v1 import inference_pb2 as pb
from serving.service import Service
from serving.status import abort_on_error
from serving.stream_servicer import Streaming, StreamServicer

if TYPE_CHECKING:
    from serving.store.store import Store

log = logging.getLogger(__name__)


class InferenceServicer(StreamServicer):
    """kerascope.v1.Inference. The log names models and sizes, and nothing that came with a picture.

    Args:
        service: what answers.
        store: keeps the answers; None for none.
        audit: keeps who asked; None for none.
        watchers: how many may watch at once.
        streaming: how streams are read.
    """

    def __init__(
        self, service: Service, *, store: Store | None, audit: Audit | None, watchers: int, streaming: Streaming
    ) -> None:
        super().__init__(service, Asking(service, store, audit), streaming, store, audit, watchers)

    def ListModels(self, request: pb.ListModelsRequest, context: grpc.ServicerContext) -> pb.ListModelsResponse:
        """Every version of every verified model."""
        with abort_on_error(context):
            return pb.ListModelsResponse(models=map(messages.summary_to_message, self._service.models()))

    def GetModel(self, request: pb.GetModelRequest, context: grpc.ServicerContext) -> pb.GetModelResponse:
        """One model's card."""
        with abort_on_error(context):
            card, ready = self._service.card(request.model.name, request.model.version)
            return pb.GetModelResponse(card_json=card.to_json(), ready=ready)

    def GetReferenceSet(
        self, request: pb.GetReferenceSetRequest, context: grpc.ServicerContext
    ) -> pb.GetReferenceSetResponse:
        """How one model did on its test split."""
        with abort_on_error(context):
            packed = self._service.reference_set(request.model.name, request.model.version)
            return pb.GetReferenceSetResponse(reference_set_npz=packed)

    def Analyze(self, request: pb.AnalyzeRequest, context: grpc.ServicerContext) -> pb.AnalyzeResponse:
        """One image in, one finding per label out."""
        question = Question(
            image=request.image,
            model=request.model.name,
            version=request.model.version,
            embedding=request.include_embedding,
            request_id=request.request_id,
        )
        with abort_on_error(context):
            answer = self._asking.ask(question, context, context.time_remaining())
            return messages.analysis_to_message(answer.analysis)

    def Explain(self, request: pb.ExplainRequest, context: grpc.ServicerContext) -> pb.ExplainResponse:
        """One image and one label in, one map out."""
        question = Question(image=request.image, model=request.model.name, version=request.model.version)
        with abort_on_error(context), audited(self._audit, context, "explain") as access:
            with about(access, question):
                explanation = self._service.explain(
                    question.image,
                    model=question.model,
                    version=question.version,
                    method=messages.method_from_message(request.method),
                    label=request.label,
                    timeout_s=context.time_remaining(),
                )
            made_by = explanation.provenance
            access.answered(made_by)
            log.info("explain %s/%d in %.0f ms", made_by.model, made_by.version, explanation.elapsed_ms)
            return messages.explanation_to_message(explanation)
