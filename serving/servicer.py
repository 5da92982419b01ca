"""Turns messages into calls of the `Service`, and its answers into messages."""

from __future__ import annotations

import logging

import grpc

from serving import messages
from serving.proto.kerascope.v1 import inference_pb2 as pb
from serving.proto.kerascope.v1 import inference_pb2_grpc
from serving.service import Service
from serving.status import abort_on_error

log = logging.getLogger(__name__)


class InferenceServicer(inference_pb2_grpc.InferenceServicer):
    """kerascope.v1.Inference. The log names models and sizes, and nothing that came with a picture."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def ListModels(self, request: pb.ListModelsRequest, context: grpc.ServicerContext) -> pb.ListModelsResponse:
        """Every version of every verified model."""
        with abort_on_error(context):
            return pb.ListModelsResponse(models=map(messages.summary_to_message, self._service.models()))

    def GetModel(self, request: pb.GetModelRequest, context: grpc.ServicerContext) -> pb.GetModelResponse:
        """One model's card."""
        with abort_on_error(context):
            card, ready = self._service.card(request.model.name, request.model.version)
            return pb.GetModelResponse(card_json=card.to_json(), ready=ready)

    def Analyze(self, request: pb.AnalyzeRequest, context: grpc.ServicerContext) -> pb.AnalyzeResponse:
        """One image in, one finding per label out."""
        with abort_on_error(context):
            analysis = self._service.analyze(
                request.image,
                model=request.model.name,
                version=request.model.version,
                embedding=request.include_embedding,
                timeout_s=context.time_remaining(),
            )
            made_by = analysis.provenance
            log.info("analyze %s/%d in %.0f ms", made_by.model, made_by.version, analysis.timings.total_ms)
            return messages.analysis_to_message(analysis)

    def Explain(self, request: pb.ExplainRequest, context: grpc.ServicerContext) -> pb.ExplainResponse:
        """One image and one label in, one map out."""
        with abort_on_error(context):
            explanation = self._service.explain(
                request.image,
                model=request.model.name,
                version=request.model.version,
                method=messages.method_from_message(request.method),
                label=request.label,
                timeout_s=context.time_remaining(),
            )
            made_by = explanation.provenance
            log.info("explain %s/%d in %.0f ms", made_by.model, made_by.version, explanation.elapsed_ms)
            return messages.explanation_to_message(explanation)
