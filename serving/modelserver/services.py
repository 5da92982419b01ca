"""The two services of TensorFlow Serving's gRPC API: messages in, calls of the manager, messages out."""

from __future__ import annotations

import grpc
import tensorflow as tf
from google.protobuf.message import Message
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_management_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
)

from serving.modelserver.manager import Manager
from serving.modelserver.predict import predict
from serving.modelserver.status import abort_on_error

SIGNATURE_DEF = "signature_def"


class PredictionService(prediction_service_pb2_grpc.PredictionServiceServicer):
    """`tensorflow.serving.PredictionService`: Predict and GetModelMetadata."""

    def __init__(self, manager: Manager) -> None:
        self._manager = manager

    def Predict(
        self, request: predict_pb2.PredictRequest, context: grpc.ServicerContext
    ) -> predict_pb2.PredictResponse:
        """Named tensors in, named tensors out."""
        with abort_on_error(context):
            if not request.HasField("model_spec"):
                raise tf.errors.InvalidArgumentError(None, None, "Missing ModelSpec")
            return predict(self._manager.servable(request.model_spec), request)

    def GetModelMetadata(
        self, request: get_model_metadata_pb2.GetModelMetadataRequest, context: grpc.ServicerContext
    ) -> get_model_metadata_pb2.GetModelMetadataResponse:
        """The signatures of a version, inputs and outputs with type and shape."""
        with abort_on_error(context):
            _check_fields(request)
            servable = self._manager.servable(request.model_spec)
            signatures = get_model_metadata_pb2.SignatureDefMap()
            for name, definition in servable.signature_defs.items():
                signatures.signature_def[name].CopyFrom(definition)
            response = get_model_metadata_pb2.GetModelMetadataResponse()
            response.model_spec.name = servable.name
            response.model_spec.version.value = servable.version
            response.metadata[SIGNATURE_DEF].Pack(signatures)
            return response

    def _unimplemented(self, request: Message, context: grpc.ServicerContext) -> None:
        """The methods on tf.Example, which no bundle of images has a signature for."""
        context.abort(grpc.StatusCode.UNIMPLEMENTED, "The embedded model server answers Predict and GetModelMetadata.")

    Classify = Regress = MultiInference = _unimplemented


class ModelService(model_service_pb2_grpc.ModelServiceServicer):
    """`tensorflow.serving.ModelService`: the state of every version, and a new configuration."""

    def __init__(self, manager: Manager) -> None:
        self._manager = manager

    def GetModelStatus(
        self, request: get_model_status_pb2.GetModelStatusRequest, context: grpc.ServicerContext
    ) -> get_model_status_pb2.GetModelStatusResponse:
        """Each version's state, with the error of one that would not load."""
        with abort_on_error(context):
            if not request.HasField("model_spec"):
                raise tf.errors.InvalidArgumentError(None, None, "Missing ModelSpec")
            return self._status(request)

    def _status(
        self, request: get_model_status_pb2.GetModelStatusRequest
    ) -> get_model_status_pb2.GetModelStatusResponse:
        spec, states = request.model_spec, self._manager.states(request.model_spec.name)
        if not states:
            raise tf.errors.NotFoundError(None, None, f"Could not find any versions of model {spec.name}")
        version = spec.version.value
        if version in states and spec.HasField("version"):
            states = {version: states[version]}
        elif version:  # 0 asks for all, see Manager.servable
            raise tf.errors.NotFoundError(None, None, f"Could not find version {version} of model {spec.name}")
        response = get_model_status_pb2.GetModelStatusResponse()
        for version, entry in states.items():
            status = response.model_version_status.add(version=version, state=entry.state)
            status.status.error_code = entry.code
            status.status.error_message = entry.message
        return response

    def HandleReloadConfigRequest(
        self, request: model_management_pb2.ReloadConfigRequest, context: grpc.ServicerContext
    ) -> model_management_pb2.ReloadConfigResponse:
        """Serves what the new configuration lists instead; answers when that is loaded."""
        with abort_on_error(context):
            self._manager.reload(request.config)
            return model_management_pb2.ReloadConfigResponse()


def _check_fields(request: get_model_metadata_pb2.GetModelMetadataRequest) -> None:
    if not request.HasField("model_spec"):
        raise tf.errors.InvalidArgumentError(None, None, "Missing ModelSpec")
    if not request.metadata_field:
        raise tf.errors.InvalidArgumentError(
            None, None, "GetModelMetadataRequest must specify at least one metadata_field"
        )
    for field in request.metadata_field:
        if field != SIGNATURE_DEF:
            raise tf.errors.InvalidArgumentError(None, None, f"Metadata field {field} is not supported")
