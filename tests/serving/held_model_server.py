"""A real model server behind a door: Predict waits before it until a test opens it, and a test says what is full."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
from tensorflow_serving.apis import model_service_pb2_grpc, prediction_service_pb2_grpc


class HeldModelServer(
    prediction_service_pb2_grpc.PredictionServiceServicer, model_service_pb2_grpc.ModelServiceServicer
):
    """Passes calls on to a model server, one by one through the door.

    Attributes:
        port: where it listens.
        inside: calls of Predict that wait at the door or are being answered.
        most: the most there ever were at once.
        asked: all there ever were.
    """

    def __init__(self, behind: int) -> None:
        self._channel = grpc.insecure_channel(f"localhost:{behind}")
        self._prediction = prediction_service_pb2_grpc.PredictionServiceStub(self._channel)
        self._models = model_service_pb2_grpc.ModelServiceStub(self._channel)
        self._open, self._lock = threading.Event(), threading.Lock()
        self._open.set()
        self.inside = self.most = self.asked = 0
        self._server = grpc.server(ThreadPoolExecutor(32))
        prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(self, self._server)
        model_service_pb2_grpc.add_ModelServiceServicer_to_server(self, self._server)
        self.port = self._server.add_insecure_port("localhost:0")
        self._server.start()

    def close(self) -> None:
        """Shuts the door: whoever asks waits."""
        self._open.clear()

    def open(self) -> None:
        """Opens it."""
        self._open.set()

    def stop(self) -> None:
        """Ends the server, with whoever waits."""
        self.open()
        self._server.stop(0).wait()
        self._channel.close()

    def Predict(self, request: Any, context: grpc.ServicerContext) -> Any:
        """TensorFlow Serving's Predict, through the door."""
        self._count(1)
        try:
            self._open.wait()
            return self._passed_on(self._prediction.Predict, request, context)
        finally:
            self._count(-1)

    def GetModelMetadata(self, request: Any, context: grpc.ServicerContext) -> Any:
        """Passed on."""
        return self._passed_on(self._prediction.GetModelMetadata, request, context)

    def GetModelStatus(self, request: Any, context: grpc.ServicerContext) -> Any:
        """Passed on."""
        return self._passed_on(self._models.GetModelStatus, request, context)

    def _count(self, more: int) -> None:
        with self._lock:
            self.inside += more
            self.most = max(self.most, self.inside)
            self.asked += max(more, 0)

    def _passed_on(self, method: Any, request: Any, context: grpc.ServicerContext) -> Any:
        try:
            return method(request, timeout=60)
        except grpc.RpcError as error:
            context.abort(error.code(), error.details())
