"""How each server is asked by a load: with the same pixels, for the same four answers, over a connection per client."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Callable, Mapping
from http.client import HTTPConnection, HTTPException

import grpc
import numpy as np
from tensorflow_serving.apis import prediction_service_pb2_grpc
from tensorflow_serving.apis.predict_pb2 import PredictRequest

from serving.load.loops import Ask
from serving.tfserving import OUTPUTS, array_of, predict_request
from zoo import errors
from zoo.cards import ModelCard

Answer = Callable[[np.ndarray], np.ndarray]
"""uint8 [H, W, C] to every output in alphabetical order, as one float32 [n]."""


def by_grpc(address: str, card: ModelCard) -> Answer:
    """TensorFlow Serving's Predict, of the newest version."""
    stub = prediction_service_pb2_grpc.PredictionServiceStub(grpc.insecure_channel(address))

    def answer(pixels: np.ndarray) -> np.ndarray:
        request: PredictRequest = predict_request(card, pixels, OUTPUTS)
        request.model_spec.ClearField("version")
        try:
            outputs = stub.Predict(request, timeout=60).outputs
        except grpc.RpcError as error:
            raise errors.ModelNotReady(error.code().name) from None
        return np.concatenate([array_of(outputs[name]).ravel() for name in sorted(OUTPUTS)])

    return answer


def by_json(port: int) -> Answer:
    """LitServe's way: base64 in JSON."""
    post = _post(port)

    def answer(pixels: np.ndarray) -> np.ndarray:
        body = json.dumps({"image": base64.b64encode(pixels.tobytes()).decode()}).encode()
        said = post(body, {"Content-Type": "application/json"})
        return np.frombuffer(base64.b64decode(json.loads(said)["answers"]), np.float32)

    return answer


def by_bytes(port: int) -> Answer:
    """Ray Serve takes and gives bytes as they are."""
    post = _post(port)
    return lambda pixels: np.frombuffer(post(pixels.tobytes(), {}), np.float32)


def load_of(answer: Answer) -> Ask:
    """The same, for `serving.load.loops`."""

    def ask(pixels: np.ndarray) -> Mapping[str, float]:
        answer(pixels)
        return {}

    return ask


def _post(port: int) -> Callable[[bytes, Mapping[str, str]], bytes]:
    kept = threading.local()

    def post(body: bytes, headers: Mapping[str, str]) -> bytes:
        if not hasattr(kept, "connection"):
            kept.connection = HTTPConnection("127.0.0.1", port, timeout=60)
        try:
            kept.connection.request("POST", "/predict", body, dict(headers))
            response = kept.connection.getresponse()
            said = bytes(response.read())
        except (OSError, HTTPException) as error:
            del kept.connection
            raise errors.ModelNotReady(type(error).__name__) from None
        if response.status != 200:
            raise errors.ModelNotReady(f"HTTP {response.status}")
        return said

    return post
