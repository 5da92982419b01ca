"""JSON to tensors and back, as TensorFlow Serving's REST API has it."""

from __future__ import annotations

import json

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.protobuf.meta_graph_pb2 import TensorInfo
from tensorflow_serving.apis.input_pb2 import Input
from tensorflow_serving.apis.predict_pb2 import PredictRequest, PredictResponse

from serving.modelserver.encoding import encode
from serving.modelserver.rest import messages
from serving.modelserver.rest.tensors import to_array, to_json


def infos(**dtypes: tf.DType) -> dict[str, TensorInfo]:
    return {name: TensorInfo(dtype=dtype.as_datatype_enum) for name, dtype in dtypes.items()}


def inputs(body: dict, **dtypes: tf.DType) -> dict[str, list]:
    request = PredictRequest()
    messages.fill_inputs(messages.parse(json.dumps(body).encode()), infos(**dtypes), request)
    return {name: tf.make_ndarray(proto).tolist() for name, proto in request.inputs.items()}


@pytest.mark.parametrize(
    ("value", "dtype", "expected"),
    [
        (1.5, tf.float32, np.float32(1.5)),
        ([[1, 2.5], [3, 4]], tf.float32, np.array([[1, 2.5], [3, 4]], "float32")),
        ([[[]]], tf.int64, np.zeros((1, 1, 0), "int64")),
        ([255, 0], tf.uint8, np.array([255, 0], "uint8")),
        ([2**63 + 1], tf.uint64, np.array([2**63 + 1], "uint64")),
        ([True, False], tf.bool, np.array([True, False])),
        (["é", {"b64": "/wA="}], tf.string, np.array(["é".encode(), b"\xff\0"], object)),
        ([float("nan"), float("-inf")], tf.float64, np.array([np.nan, -np.inf])),
    ],
)
def test_json_becomes_an_array(value: object, dtype: tf.DType, expected: np.ndarray) -> None:
    found = to_array(value, dtype)
    np.testing.assert_array_equal(found, expected)
    assert found.dtype == expected.dtype


@pytest.mark.parametrize(
    ("value", "dtype", "words"),
    [
        (["1"], tf.float32, 'JSON Value: "1" Type: String is not of expected type: float'),
        ([True], tf.float32, "JSON Value: true Type: True is not of expected type: float"),
        ([1.5], tf.int32, "JSON Value: 1.5 Type: Number is not of expected type: int32"),
        ([256], tf.uint8, "JSON Value: 256 Type: Number is not of expected type: uint8"),
        ([2**24 + 1], tf.float32, "Cannot convert JSON value: 16777217 to float without loss of precision."),
        ([1e39], tf.float32, "Cannot convert JSON value: 1e+39 to float without loss of precision."),
        ([[1], [1, 2]], tf.int32, "Encountered list at unexpected size: 2 at level: 1 expected size: 1"),
        ([[1], 2], tf.int32, "JSON Value: 2 found at incorrect level: 2 in the JSON DOM. Expected at level: 2"),
        ([1, [2]], tf.int32, "Encountered list at unexpected level: 1 expected < 1"),
        ([{"b64": "?"}], tf.string, "Unable to base64 decode"),
        ([{"base64": "eA=="}], tf.string, "not formatted correctly for base64 data"),
        ([None], tf.string, "JSON Value: null Type: Null is not of expected type: string"),
    ],
)
def test_json_that_fits_no_tensor_is_refused(value: object, dtype: tf.DType, words: str) -> None:
    with pytest.raises(tf.errors.InvalidArgumentError) as caught:
        to_array(value, dtype)
    assert words in caught.value.message


def test_types_that_json_has_no_values_for_are_not_read() -> None:
    with pytest.raises(tf.errors.UnimplementedError, match="Conversion of JSON Value"):
        to_array([1.0], tf.float16)


def test_floats_are_written_with_their_own_decimals() -> None:
    # 0.1 as a float is 0.100000001490116..., whose shortest name among floats is 0.1.
    assert to_json("y", np.array([0.1, 3, 1e-30], "float32")) == [0.1, 3.0, 1e-30]
    assert json.dumps(to_json("y", np.array([np.nan, np.inf, -np.inf], "float32"))) == "[NaN, Infinity, -Infinity]"
    assert json.dumps(to_json("y", np.array(3, "float32"))) == "3.0"


def test_strings_are_written_as_text_or_in_base64() -> None:
    assert to_json("name", np.array([[b"Ada"]], object)) == [["Ada"]]
    assert to_json("image_bytes", np.array([b"\xff\0"], object)) == [{"b64": "/wA="}]


def test_rows_and_columns_mean_the_same() -> None:
    types = {"a": tf.float32, "b": tf.int32}
    expected = {"a": [[1.0], [2.0]], "b": [3, 4]}
    assert inputs({"instances": [{"a": [1.0], "b": 3}, {"a": [2.0], "b": 4}]}, **types) == expected
    assert inputs({"inputs": {"a": [[1.0], [2.0]], "b": [3, 4]}}, **types) == expected
    assert inputs({"instances": [[1.0], [2.0]]}, a=tf.float32) == inputs({"inputs": [[1.0], [2.0]]}, a=tf.float32)
    assert inputs({"instances": [{"b64": "eA=="}]}, a=tf.string) == {"a": [b"x"]}


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({}, "Missing 'inputs' or 'instances' key"),
        ({"instances": [1], "inputs": [1]}, "expecting only one of 'inputs' or 'instances' keys to exist"),
        ({"instances": 1}, "Excepting 'instances' to be an list/array"),
        ({"instances": []}, "No values in 'instances' array"),
        ({"instances": [1]}, "instances is a plain list, but expecting list of objects as multiple input tensors"),
        ({"instances": [{"a": 1, "b": 1}, 2]}, "Expecting object but got list at item 1 of input list"),
        ({"instances": [{"a": 1}]}, "keys must be equal to: a,b"),
        ({"instances": [{"c": 1}]}, "does not have named input: c"),
        (
            {"instances": [{"a": 1, "b": 1}, {"a": [1], "b": 1}]},
            "element: 1 key: a of 'instances' list. Error: INVALID_ARGUMENT: Expecting shape [] but got: [1]",
        ),
        ({"inputs": [1]}, "inputs is a plain value/list, but expecting an object"),
        ({"inputs": {"a": [1]}}, "Missing named input: b in 'inputs' object."),
    ],
)
def test_bodies_that_make_no_request_are_refused(body: dict, words: str) -> None:
    with pytest.raises(tf.errors.InvalidArgumentError) as caught:
        inputs(body, a=tf.float32, b=tf.float32)
    assert words in caught.value.message


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "JSON Parse error: The document is empty"),
        (b"{", "JSON Parse error: Expecting property name enclosed in double quotes at offset: 1"),
        (b'{"a": "\xff"}', "JSON Parse error: Invalid encoding in string."),
        (b"[1]", "JSON Value: [1] Is not object"),
        (b"[" * 100_000, "JSON Parse error"),
    ],
)
def test_what_is_no_json_object_is_refused(body: bytes, words: str) -> None:
    with pytest.raises(tf.errors.InvalidArgumentError) as caught:
        messages.parse(body)
    assert words in caught.value.message


def answer(**arrays: np.ndarray) -> PredictResponse:
    response = PredictResponse()
    for name, array in arrays.items():
        encode(array, response.outputs[name])
    return response


def test_answers_come_in_the_form_of_their_questions() -> None:
    two = answer(y=np.array([1.0, 2.0], "float32"), z=np.array([[3], [4]], "int32"))
    assert messages.predictions(two, rows=True) == {"predictions": [{"y": 1.0, "z": [3]}, {"y": 2.0, "z": [4]}]}
    assert messages.predictions(two, rows=False) == {"outputs": {"y": [1.0, 2.0], "z": [[3], [4]]}}
    one = answer(y=np.array([[1], [2]], "int64"))
    assert messages.predictions(one, rows=True) == {"predictions": [[1], [2]]}
    assert messages.predictions(one, rows=False) == {"outputs": [[1], [2]]}


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"y": np.float32(1)}, "Tensor name: y has no shape information"),
        ({"y": np.zeros(1), "z": np.zeros(2)}, "Tensor name: z has inconsistent batch size: 2 expecting: 1"),
    ],
)
def test_outputs_without_rows_have_no_row_form(arrays: dict, words: str) -> None:
    with pytest.raises(tf.errors.InvalidArgumentError) as caught:
        messages.predictions(answer(**{name: np.asarray(array) for name, array in arrays.items()}), rows=True)
    assert words in caught.value.message


def test_examples_hold_what_json_holds() -> None:
    found = Input()
    body = {"context": {"c": "x"}, "examples": [{"i": [1, True], "f": 1.5, "s": ["a", {"b64": "/w=="}]}]}
    messages.fill_examples(body, found)
    listed = found.example_list_with_context
    feature = listed.examples[0].features.feature
    assert list(feature["i"].int64_list.value) == [1, 1]
    assert list(feature["f"].float_list.value) == [1.5]
    assert list(feature["s"].bytes_list.value) == [b"a", b"\xff"]
    assert list(listed.context.features.feature["c"].bytes_list.value) == [b"x"]


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({}, "key 'examples' is expected and was not found"),
        ({"examples": 1}, "Expecting 'examples' value to be an list/array"),
        ({"examples": []}, "'examples' value is an empty array"),
        ({"examples": [1]}, "Example must be JSON object but got JSON Number"),
        ({"examples": [{"x": [1, 1.5]}]}, "Unexpected element type in feature: x expecting type: int64"),
        ({"examples": [{"x": [[1]]}]}, "Feature: x has element with unexpected JSON type: Array"),
        ({"examples": [{"x": None}]}, "Feature: x has element with unexpected JSON type: Null"),
        ({"examples": [{"x": 1e39}]}, "Cannot convert JSON value: 1e+39 to float without loss of precision."),
        ({"examples": [{"x": [2**63]}]}, "Feature: x has uint64 element. Only int64 is supported."),
    ],
)
def test_bodies_that_make_no_examples_are_refused(body: dict, words: str) -> None:
    with pytest.raises(tf.errors.InvalidArgumentError) as caught:
        messages.fill_examples(body, Input())
    assert words in caught.value.message
