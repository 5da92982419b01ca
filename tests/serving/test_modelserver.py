from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import grpc
import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis import (
    model_service_pb2_grpc,
    prediction_service_pb2_grpc,
)
from tensorflow_serving.apis.predict_pb2 import PredictRequest, PredictResponse

from serving.modelserver.options import Options
from serving.modelserver.server import ModelServer, create_server
from tests.serving.tiny_models import write_line

pytestmark = pytest.mark.slow

WAIT_S = 10.0


class Client:
    """The stubs of tensorflow-serving-api on one channel."""

    def __init__(self, port: int) -> None:
        self.channel = grpc.insecure_channel(f"localhost:{port}", options=[("grpc.max_send_message_length", -1)])
        self.prediction = prediction_service_pb2_grpc.PredictionServiceStub(self.channel)
        self.model = model_service_pb2_grpc.ModelServiceStub(self.channel)

    def predict(self, request: PredictRequest) -> PredictResponse:
        return self.prediction.Predict(request, timeout=WAIT_S)


def request(model: str = "line", signature: str = "", **inputs: object) -> PredictRequest:
    made = PredictRequest()
    made.model_spec.name, made.model_spec.signature_name = model, signature
    for name, value in (inputs or {"x": np.array([[1, 2, 3]], "float32")}).items():
        made.inputs[name].CopyFrom(tf.make_tensor_proto(value))
    return made


@pytest.fixture
def base_path(tmp_path: Path) -> Path:
    folder = tmp_path / "line"
    folder.mkdir()
    write_line(folder, 1)
    return folder


@pytest.fixture
def server(base_path: Path) -> Iterator[ModelServer]:
    made = create_server(
        Options(port=0, model_name="line", model_base_path=str(base_path), file_system_poll_wait_seconds=0.1)
    )
    made.start()
    assert made.wait_until_settled(WAIT_S)
    yield made
    made.stop(0)


@pytest.fixture
def client(server: ModelServer) -> Client:
    return Client(server.port)


def test_predict_gives_what_the_model_computes(client: Client) -> None:
    # y = 2 x + version = 2 * [1, 2, 3] + 1 = [3, 5, 7]; their total is 15.
    answer = client.predict(request())
    np.testing.assert_array_equal(tf.make_ndarray(answer.outputs["y"]), np.array([[3, 5, 7]], "float32"))
    np.testing.assert_array_equal(tf.make_ndarray(answer.outputs["total"]), np.array([15], "float32"))
    assert (answer.model_spec.name, answer.model_spec.version.value) == ("line", 1)
    assert answer.model_spec.signature_name == "serving_default"
