"""The embedded model server's answers, as a TensorFlow Serving client sees them."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import numpy as np
import pytest
import tensorflow as tf
from google.protobuf.descriptor_pool import DescriptorPool
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase
from tensorflow_serving.apis.get_model_metadata_pb2 import GetModelMetadataRequest, SignatureDefMap
from tensorflow_serving.apis.get_model_status_pb2 import GetModelStatusRequest
from tensorflow_serving.apis.predict_pb2 import PredictRequest

from serving.modelserver.options import Options
from serving.modelserver.server import ModelServer, create_server
from tests.serving.model_server_client import WAIT_S, Client, predict_request, wait_until
from tests.serving.model_servers import asked
from tests.serving.tiny_models import write_line

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ModelServer]:
    base_path = tmp_path_factory.mktemp("line")
    write_line(base_path, 1)
    made = create_server(Options(port=0, model_name="line", model_base_path=str(base_path)))
    made.start()
    assert made.wait_until_settled(WAIT_S)
    yield made
    made.stop(0)


@pytest.fixture(scope="module")
def client(server: ModelServer) -> Client:
    return Client(f"localhost:{server.port}")


def refusal(call: Callable[[], object]) -> tuple[str, str]:
    with pytest.raises(grpc.RpcError) as caught:
        call()
    return caught.value.code().name, caught.value.details()


def test_predict_gives_what_the_model_computes(client: Client) -> None:
    # y = 2 x + version = 2 * [1, 2, 3] + 1 = [3, 5, 7]; their total is 15.
    answer = client.predict(predict_request())
    np.testing.assert_array_equal(tf.make_ndarray(answer.outputs["y"]), np.array([[3, 5, 7]], "float32"))
    np.testing.assert_array_equal(tf.make_ndarray(answer.outputs["total"]), np.array([15], "float32"))
    assert (answer.model_spec.name, answer.model_spec.version.value) == ("line", 1)
    assert answer.model_spec.signature_name == "serving_default"


def test_the_numbers_of_an_answer_are_in_the_field_of_their_type(client: Client) -> None:
    y = client.predict(predict_request()).outputs["y"]
    assert (list(y.float_val), y.tensor_content) == ([3, 5, 7], b"")


def test_the_numbers_of_an_answer_are_bytes_where_that_is_asked_for(tmp_path: Path) -> None:
    write_line(tmp_path, 1)
    with asked(tmp_path, enable_serialization_as_tensor_content=True) as own:
        y = own.predict(predict_request()).outputs["y"]
    assert (list(y.float_val), y.tensor_content) == ([], np.array([3, 5, 7], "<f4").tobytes())


def test_numbers_are_read_from_either_field_of_a_tensor(client: Client) -> None:
    request = PredictRequest()
    request.model_spec.name = "line"
    request.inputs["x"].dtype = tf.float32.as_datatype_enum
    for size in (1, 3):
        request.inputs["x"].tensor_shape.dim.add(size=size)
    request.inputs["x"].float_val.extend([1, 2, 3])
    np.testing.assert_array_equal(tf.make_ndarray(client.predict(request).outputs["y"]), [[3, 5, 7]])


def test_strings_go_in_and_come_out(client: Client) -> None:
    answer = client.predict(predict_request(signature="names", name=[b"Ada", b"\xff"]))
    assert tf.make_ndarray(answer.outputs["greeting"]).tolist() == [b"hello Ada", b"hello \xff"]


def test_an_empty_batch_is_a_batch(client: Client) -> None:
    answer = client.predict(predict_request(x=np.zeros((0, 3), "float32")))
    assert tf.make_ndarray(answer.outputs["y"]).shape == (0, 3)


def test_the_output_filter_chooses_the_outputs(client: Client) -> None:
    request = predict_request()
    request.output_filter.append("total")
    assert set(client.predict(request).outputs) == {"total"}


def test_a_message_over_four_megabytes_passes(client: Client) -> None:
    answer = client.predict(predict_request(x=np.ones((1_000_000, 3), "float32")))
    assert tf.make_ndarray(answer.outputs["total"]).shape == (1_000_000,)


def test_calls_at_once_each_get_their_own_answer(client: Client) -> None:
    def ask(number: int) -> float:
        answer = client.predict(predict_request(x=np.full((1, 3), number, "float32")))
        return float(tf.make_ndarray(answer.outputs["y"])[0, 0])

    with ThreadPoolExecutor(16) as pool:
        assert list(pool.map(ask, range(300))) == [2 * number + 1 for number in range(300)]


REFUSED = {
    "no model": ({"model": ""}, "INVALID_ARGUMENT", "ModelSpec has no name specified."),
    "unknown model": ({"model": "curve"}, "NOT_FOUND", "Servable not found for request: Latest(curve)"),
    "unknown version": ({"version": 3}, "NOT_FOUND", "Servable not found for request: Specific(line, 3)"),
    "unknown label": ({"label": "stable"}, "INVALID_ARGUMENT", "Unrecognized servable version label: stable"),
    "unknown signature": ({"signature": "no"}, "FAILED_PRECONDITION", 'Serving signature key "no" not found.'),
    "no input": ({"inputs": {}}, "INVALID_ARGUMENT", "input size does not match signature: 0!=1 len({}) != len({x})"),
    "two inputs": (
        {"inputs": {"x": [[1.0, 2, 3]], "z": 1.0}},
        "INVALID_ARGUMENT",
        "input size does not match signature: 2!=1 len({x,z}) != len({x}). Sent extra: {z}. Missing but required: {}.",
    ),
    "another input": ({"inputs": {"z": 1.0}}, "INVALID_ARGUMENT", "Signature input alias: x(feed name: "),
    "another type": (
        {"inputs": {"x": [[1, 2, 3]]}},
        "INVALID_ARGUMENT",
        "Expects arg[0] to be float but int32 is provided",
    ),
    "another shape": (
        {"inputs": {"x": [[1.0, 2.0]]}},
        "INVALID_ARGUMENT",
        "has shape [1,2]; the signature expects [?,3]",
    ),
    "another rank": (
        {"inputs": {"x": [1.0, 2.0, 3.0]}},
        "INVALID_ARGUMENT",
        "has shape [3]; the signature expects [?,3]",
    ),
    "unknown output": (
        {"output_filter": ["w"]},
        "INVALID_ARGUMENT",
        "output tensor alias not found in signature: w Outputs expected to be in the set {total,y}.",
    ),
    "output twice": ({"output_filter": ["y", "y"]}, "INVALID_ARGUMENT", "duplicate output tensor alias: y"),
}


@pytest.mark.parametrize(("question", "code", "words"), REFUSED.values(), ids=REFUSED.keys())
def test_a_bad_question_is_refused_as_by_tensorflow_serving(
    client: Client, question: dict, code: str, words: str
) -> None:
    request = predict_request(question.get("model", "line"), question.get("signature", ""))
    if "inputs" in question:
        request.inputs.clear()
        for name, value in question["inputs"].items():
            request.inputs[name].CopyFrom(tf.make_tensor_proto(value))
    if "version" in question:
        request.model_spec.version.value = question["version"]
    if "label" in question:
        request.model_spec.version_label = question["label"]
    request.output_filter.extend(question.get("output_filter", ()))
    found, details = refusal(lambda: client.predict(request))
    assert (found, words in details) == (code, True), details


def test_a_tensor_that_does_not_fill_its_shape_is_refused(client: Client) -> None:
    request = predict_request()
    request.inputs["x"].tensor_content = request.inputs["x"].tensor_content[:-1]
    assert refusal(lambda: client.predict(request)) == ("INVALID_ARGUMENT", "tensor parsing error: x")


def test_a_failure_in_the_graph_keeps_its_code_and_loses_its_stack(client: Client) -> None:
    code, details = refusal(lambda: client.predict(predict_request(signature="picky", text=[b"seven"])))
    assert (code, details) == ("INVALID_ARGUMENT", "StringToNumberOp could not correctly convert string: seven")


def test_metadata_holds_the_signatures(client: Client) -> None:
    request = GetModelMetadataRequest(metadata_field=["signature_def"])
    request.model_spec.name = "line"
    answer = client.prediction.GetModelMetadata(request, timeout=WAIT_S)
    signatures = SignatureDefMap()
    assert answer.metadata["signature_def"].Unpack(signatures)
    x = signatures.signature_def["serving_default"].inputs["x"]
    assert (tf.as_dtype(x.dtype), tf.TensorShape(x.tensor_shape).as_list()) == (tf.float32, [None, 3])
    assert answer.model_spec.version.value == 1


@pytest.mark.parametrize(
    ("fields", "words"), [([], "must specify at least one metadata_field"), (["size"], "field size is not supported")]
)
def test_other_metadata_is_refused(client: Client, fields: list[str], words: str) -> None:
    request = GetModelMetadataRequest(metadata_field=fields)
    request.model_spec.name = "line"
    code, details = refusal(lambda: client.prediction.GetModelMetadata(request, timeout=WAIT_S))
    assert (code, words in details) == ("INVALID_ARGUMENT", True)


def test_status_is_told_by_version_and_only_of_what_there_is(client: Client) -> None:
    assert client.states() == {1: "AVAILABLE"}
    request = GetModelStatusRequest()
    request.model_spec.name = "line"
    request.model_spec.version.value = 9
    assert refusal(lambda: client.model.GetModelStatus(request)) == (
        "NOT_FOUND",
        "Could not find version 9 of model line",
    )
    assert refusal(lambda: client.status("curve")) == ("NOT_FOUND", "Could not find any versions of model curve")


@pytest.mark.parametrize("service", ["", "tensorflow.serving.PredictionService", "tensorflow.serving.ModelService"])
def test_health_is_served(client: Client, service: str) -> None:
    stub, request = health_pb2_grpc.HealthStub(client.channel), health_pb2.HealthCheckRequest(service=service)
    wait_until(lambda: stub.Check(request).status == health_pb2.HealthCheckResponse.SERVING)


def test_reflection_describes_predict(client: Client) -> None:
    database = ProtoReflectionDescriptorDatabase(client.channel)
    assert "tensorflow.serving.PredictionService" in database.get_services()
    service = DescriptorPool(database).FindServiceByName("tensorflow.serving.PredictionService")
    assert service.methods_by_name["Predict"].input_type.full_name == "tensorflow.serving.PredictRequest"


OVMSCLIENT = """
import sys
import numpy as np
from ovmsclient import make_grpc_client
from ovmsclient.tfs_compat.base.errors import ModelNotFoundError

client = make_grpc_client(sys.argv[1])
answer = client.predict({"x": np.array([[1, 2, 3]], "float32")}, "line")
assert answer["y"].tolist() == [[3, 5, 7]] and answer["total"].tolist() == [15], answer
status = client.get_model_status("line")
assert status == {1: {"state": "AVAILABLE", "error_code": 0, "error_message": ""}}, status
metadata = client.get_model_metadata("line")
assert metadata["model_version"] == 1, metadata
assert metadata["inputs"] == {"x": {"shape": [-1, 3], "dtype": "DT_FLOAT"}}, metadata
try:
    client.predict({"x": np.array([[1, 2, 3]], "float32")}, "curve")
except ModelNotFoundError:
    print("all as expected")
"""


def test_ovmsclient_works_unchanged(server: ModelServer) -> None:
    # In a process of its own: it brings its own copies of TensorFlow's protos, which clash with ours.
    done = subprocess.run(
        [sys.executable, "-c", OVMSCLIENT, f"localhost:{server.port}"], capture_output=True, text=True, timeout=WAIT_S
    )
    assert done.stdout == "all as expected\n", done.stderr
