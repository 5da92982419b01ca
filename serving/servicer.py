"""Turns messages into calls of the `Service`, and its answers into messages."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import grpc

from serving import messages
from serving.audit.access import Access, audited
from serving.audit.trail import Audit
from serving.proto.kerascope.v1 import inference_pb2 as pb
from serving.service import Service
from serving.status import abort_on_error
from serving.store_servicer import StoreServicer
from zoo import errors
from zoo.results import Analysis

if TYPE_CHECKING:
    from serving.recorder import Recorder
    from serving.store.store import Store

log = logging.getLogger(__name__)


class InferenceServicer(StoreServicer):
    """kerascope.v1.Inference. The log names models and sizes, and nothing that came with a picture.

    Args:
        service: what answers.
        store: keeps the answers; None for none.
        audit: keeps who asked; None for none.
        watchers: how many may watch at once.
    """

    def __init__(
        self, service: Service, *, store: Store | None = None, audit: Audit | None = None, watchers: int = 4
    ) -> None:
        super().__init__(store, audit, watchers)
        self._service = service
        self._recorder = _recorder(service, store)

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
        with abort_on_error(context), audited(self._audit, context, "analyze") as access:
            with _about(access, request):
                analysis = self._ask(request, context.time_remaining())
            made_by = analysis.provenance
            access.answered(made_by)
            log.info("analyze %s/%d in %.0f ms", made_by.model, made_by.version, analysis.timings.total_ms)
            return messages.analysis_to_message(analysis)

    def Explain(self, request: pb.ExplainRequest, context: grpc.ServicerContext) -> pb.ExplainResponse:
        """One image and one label in, one map out."""
        with abort_on_error(context), audited(self._audit, context, "explain") as access:
            with _about(access, request):
                explanation = self._service.explain(
                    request.image,
                    model=request.model.name,
                    version=request.model.version,
                    method=messages.method_from_message(request.method),
                    label=request.label,
                    timeout_s=context.time_remaining(),
                )
            made_by = explanation.provenance
            access.answered(made_by)
            log.info("explain %s/%d in %.0f ms", made_by.model, made_by.version, explanation.elapsed_ms)
            return messages.explanation_to_message(explanation)

    def _ask(self, request: pb.AnalyzeRequest, timeout_s: float | None) -> Analysis:
        model, version, embedding = request.model.name, request.model.version, request.include_embedding
        if self._recorder is None:
            return self._service.analyze(
                request.image, model=model, version=version, embedding=embedding, timeout_s=timeout_s
            )
        return self._recorder.analyze(
            request.image,
            model=model,
            version=version,
            embedding=embedding,
            timeout_s=timeout_s,
            request_id=request.request_id,
        )


@contextmanager
def _about(access: Access, request: pb.AnalyzeRequest | pb.ExplainRequest) -> Iterator[None]:
    """Says of a picture that is turned away which one it was, and by which model: one that the registry knows."""
    try:
        yield
    except (errors.BadImage, errors.ImageRefused):
        access.subject = f"sha256:{hashlib.sha256(request.image).hexdigest()}"
        access.model, access.version = request.model.name, request.model.version
        raise


def _recorder(service: Service, store: Store | None) -> Recorder | None:
    if store is None:
        return None
    from serving.recorder import Recorder  # needs SQLAlchemy

    return Recorder(service, store)
