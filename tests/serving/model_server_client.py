"""A client of TensorFlow Serving's API as anybody would write one, with the stubs of tensorflow-serving-api."""

from __future__ import annotations

import time
from collections.abc import Callable

import grpc
import tensorflow as tf
from tensorflow_serving.apis import model_service_pb2_grpc, prediction_service_pb2_grpc
from tensorflow_serving.apis.get_model_status_pb2 import GetModelStatusRequest, ModelVersionStatus
from tensorflow_serving.apis.predict_pb2 import PredictRequest, PredictResponse

WAIT_S = 60.0  # the longest, on a machine that has other things to do


class Client:
    """Both services of one server."""

    def __init__(self, address: str) -> None:
        unlimited = [("grpc.max_send_message_length", -1), ("grpc.max_receive_message_length", -1)]
        self.channel = grpc.insecure_channel(address, options=unlimited)
        self.prediction = prediction_service_pb2_grpc.PredictionServiceStub(self.channel)
        self.model = model_service_pb2_grpc.ModelServiceStub(self.channel)

    def predict(self, request: PredictRequest) -> PredictResponse:
        return self.prediction.Predict(request, timeout=WAIT_S)

    def answering_version(self, model: str = "line") -> int:
        """The version that a request without one reaches."""
        return int(self.predict(predict_request(model)).model_spec.version.value)

    def states(self, model: str = "line") -> dict[int, str]:
        """Version -> state; empty while the server knows none, or is not up yet."""
        try:
            return {entry.version: ModelVersionStatus.State.Name(entry.state) for entry in self.status(model)}
        except grpc.RpcError as error:
            if error.code() not in (grpc.StatusCode.NOT_FOUND, grpc.StatusCode.UNAVAILABLE):
                raise
            return {}

    def status(self, model: str = "line") -> list[ModelVersionStatus]:
        request = GetModelStatusRequest()
        request.model_spec.name = model
        return list(self.model.GetModelStatus(request, timeout=WAIT_S).model_version_status)


def predict_request(model: str = "line", signature: str = "", **inputs: object) -> PredictRequest:
    """Without inputs, x = [[1, 2, 3]]."""
    request = PredictRequest()
    request.model_spec.name, request.model_spec.signature_name = model, signature
    for name, value in (inputs or {"x": tf.constant([[1.0, 2.0, 3.0]])}).items():
        request.inputs[name].CopyFrom(tf.make_tensor_proto(value))
    return request


def wait_until(condition: Callable[[], bool]) -> None:
    until = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < until, "it did not happen in time"
        time.sleep(0.02)
