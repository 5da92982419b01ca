"""The two services of TensorFlow Serving's gRPC API: messages in, answers out, errors as statuses."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

import grpc
from tensorflow_serving.apis import (
    classification_pb2,
    get_model_metadata_pb2,
    get_model_status_pb2,
    inference_pb2,
    model_management_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
    regression_pb2,
)

from serving.modelserver.answers import Answers
from serving.modelserver.call import Grpc
from serving.modelserver.manager import Manager
from serving.modelserver.status import abort_on_error


class PredictionService(prediction_service_pb2_grpc.PredictionServiceServicer):
    """`tensorflow.serving.PredictionService`."""

    def __init__(self, answers: Answers) -> None:
        self._answers = answers

    def Predict(
        self, request: predict_pb2.PredictRequest, context: grpc.ServicerContext
    ) -> predict_pb2.PredictResponse:
        """Named tensors in, named tensors out."""
        with self._answering(context, request.model_spec.name, "Predict"):
            return self._answers.predict(request, Grpc(context))

    def Classify(
        self, request: classification_pb2.ClassificationRequest, context: grpc.ServicerContext
    ) -> classification_pb2.ClassificationResponse:
        """Examples in, labels and scores out."""
        with self._answering(context, request.model_spec.name, "Classify"):
            return self._answers.classify(request, Grpc(context))

    def Regress(
        self, request: regression_pb2.RegressionRequest, context: grpc.ServicerContext
    ) -> regression_pb2.RegressionResponse:
        """Examples in, one number each out."""
        with self._answering(context, request.model_spec.name, "Regress"):
            return self._answers.regress(request, Grpc(context))

    def MultiInference(
        self, request: inference_pb2.MultiInferenceRequest, context: grpc.ServicerContext
    ) -> inference_pb2.MultiInferenceResponse:
        """Examples in, the answers of several signatures out."""
        model = request.tasks[0].model_spec.name if request.tasks else ""
        with self._answering(context, model, "MultiInference"):
            return self._answers.multi_inference(request, Grpc(context))

    def GetModelMetadata(
        self, request: get_model_metadata_pb2.GetModelMetadataRequest, context: grpc.ServicerContext
    ) -> get_model_metadata_pb2.GetModelMetadataResponse:
        """The signatures of a version, inputs and outputs with type and shape."""
        with abort_on_error(context):
            return self._answers.metadata(request)

    @contextmanager
    def _answering(self, context: grpc.ServicerContext, model: str, api: str) -> Iterator[None]:
        start_s = time.monotonic()
        with abort_on_error(context), self._answers.counted(model):
            yield
        self._answers.took(model, api, "GRPC", start_s)


class ModelService(model_service_pb2_grpc.ModelServiceServicer):
    """`tensorflow.serving.ModelService`: the state of every version, and a new configuration."""

    def __init__(self, answers: Answers, manager: Manager) -> None:
        self._answers, self._manager = answers, manager

    def GetModelStatus(
        self, request: get_model_status_pb2.GetModelStatusRequest, context: grpc.ServicerContext
    ) -> get_model_status_pb2.GetModelStatusResponse:
        """Each version's state, with the error of one that would not load."""
        with abort_on_error(context):
            return self._answers.status(request)

    def HandleReloadConfigRequest(
        self, request: model_management_pb2.ReloadConfigRequest, context: grpc.ServicerContext
    ) -> model_management_pb2.ReloadConfigResponse:
        """Serves what the new configuration lists instead; answers when that is loaded."""
        with abort_on_error(context):
            self._manager.reload(request.config, waited_for=context.is_active)
            response = model_management_pb2.ReloadConfigResponse()
            response.status.SetInParent()  # OK, said and not left out
            return response
