"""Tensors on the wire, and what a model server's failures mean."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import grpc
import numpy as np
import pytest

pytestmark = pytest.mark.slow  # tensorflow-serving-api imports TensorFlow

CARD = SimpleNamespace(name="m", version=4, labels=("a", "b"), evidence_grid=(1, 2), embedding_size=3)
PIXELS = np.arange(12, dtype=np.uint8).reshape(2, 3, 2)


def tensor(values: list[float], *shape: int, content: bool = False):
    from tensorflow.core.framework import tensor_pb2, types_pb2

    proto = tensor_pb2.TensorProto(dtype=types_pb2.DT_FLOAT)
    for size in shape:
        proto.tensor_shape.dim.add(size=size)
    if content:
        proto.tensor_content = np.array(values, "<f4").tobytes()
    else:
        proto.float_val.extend(values)
    return proto


@pytest.mark.parametrize("content", [True, False], ids=["tensor_content", "float_val"])
def test_both_ways_to_write_a_tensor_are_read(content: bool):
    from serving.tfserving import array_of

    array = array_of(tensor([1, 2, 3, 4, 5, 6], 3, 2, content=content))
    np.testing.assert_array_equal(array, [[1, 2], [3, 4], [5, 6]])
    assert array.dtype == np.float32


def test_a_short_float_val_repeats_its_last_value():
    # tensor.proto: a tensor of one value stands for an array full of it.
    from serving.tfserving import array_of

    np.testing.assert_array_equal(array_of(tensor([7], 2, 2)), [[7, 7], [7, 7]])
    np.testing.assert_array_equal(array_of(tensor([1, 2], 4)), [1, 2, 2, 2])


def test_the_request_says_what_tensorflow_reads_back():
    import tensorflow as tf

    from serving.tfserving import predict_request

    request = predict_request(CARD, PIXELS, ("logit",))
    np.testing.assert_array_equal(tf.make_ndarray(request.inputs["image"]), PIXELS[None])
    assert (request.model_spec.name, request.model_spec.version.value) == ("m", 4)
    assert (request.model_spec.signature_name, list(request.output_filter)) == ("analyze", ["logit"])


class Scripted:
    """A model server that answers as told: a status, or outputs."""

    def __init__(self) -> None:
        from tensorflow_serving.apis import prediction_service_pb2_grpc as api

        self.code = grpc.StatusCode.OK
        self.outputs = {
            "probability": tensor([0.1, 0.9], 1, 2),
            "logit": tensor([-2, 2], 1, 2),
            "evidence": tensor([1, 2, 3, 4], 1, 1, 2, 2),
            "embedding": tensor([5, 6, 7], 1, 3),
        }
        self.server = grpc.server(ThreadPoolExecutor(2))
        api.add_PredictionServiceServicer_to_server(self._servicer(api), self.server)
        self.port = self.server.add_insecure_port("localhost:0")
        self.server.start()

    def _servicer(self, api):
        servicer = api.PredictionServiceServicer()
        servicer.Predict = self._predict
        return servicer

    def _predict(self, request, context):
        from tensorflow_serving.apis import predict_pb2

        if self.code is not grpc.StatusCode.OK:
            context.abort(self.code, "of no concern to the caller")
        return predict_pb2.PredictResponse(outputs={name: self.outputs[name] for name in request.output_filter})


@pytest.fixture
def scripted() -> Iterator[Scripted]:
    scripted = Scripted()
    yield scripted
    scripted.server.stop(None).wait()


def analyze(scripted: Scripted, **options: object):
    from serving.tfserving import ModelServer

    server = ModelServer(f"localhost:{scripted.port}")
    try:
        return server.analyze(CARD, PIXELS, timeout_s=5, **options)
    finally:
        server.close()


def test_outputs_arrive_without_the_batch(scripted: Scripted):
    raw = analyze(scripted)
    np.testing.assert_allclose(raw.probability, [0.1, 0.9])
    np.testing.assert_array_equal(raw.logit, [-2, 2])
    np.testing.assert_array_equal(raw.evidence, [[[1, 2], [3, 4]]])  # [1 row, 2 columns, 2 labels]
    assert raw.embedding is None
    np.testing.assert_array_equal(analyze(scripted, embedding=True).embedding, [5, 6, 7])


@pytest.mark.parametrize(
    ("code", "error"),
    [
        (grpc.StatusCode.NOT_FOUND, "ModelNotReady"),
        (grpc.StatusCode.UNAVAILABLE, "ModelNotReady"),
        (grpc.StatusCode.RESOURCE_EXHAUSTED, "ModelNotReady"),
        (grpc.StatusCode.DEADLINE_EXCEEDED, "BackendTimeout"),
        (grpc.StatusCode.INVALID_ARGUMENT, "BadBundle"),
        (grpc.StatusCode.INTERNAL, "InternalError"),
    ],
)
def test_a_status_of_the_model_server_becomes_an_error_of_ours(scripted: Scripted, code: grpc.StatusCode, error: str):
    from zoo import errors

    scripted.code = code
    with pytest.raises(errors.KerascopeError) as caught:
        analyze(scripted)
    assert type(caught.value).__name__ == error
    assert "no concern" not in str(caught.value)


def test_another_model_than_the_card_describes_is_a_bad_bundle(scripted: Scripted):
    from zoo import errors

    scripted.outputs["logit"] = tensor([1, 2, 3], 1, 3)
    with pytest.raises(errors.BadBundle, match=r"logit is \(1, 3\), not \(1, 2\)"):
        analyze(scripted)
