"""The bodies of REST requests and answers: JSON to TensorFlow Serving's messages and back.

Forms, checks and messages are those of TensorFlow Serving's util/json_tensor.cc and its page "RESTful API"
(https://www.tensorflow.org/tfx/serving/api_rest).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf
from google.protobuf.json_format import MessageToDict
from tensorflow.core.example.example_pb2 import Example
from tensorflow.core.example.feature_pb2 import Feature
from tensorflow.core.protobuf.meta_graph_pb2 import TensorInfo
from tensorflow_serving.apis.classification_pb2 import ClassificationResult
from tensorflow_serving.apis.get_model_metadata_pb2 import GetModelMetadataResponse, SignatureDefMap
from tensorflow_serving.apis.get_model_status_pb2 import GetModelStatusResponse
from tensorflow_serving.apis.input_pb2 import Input
from tensorflow_serving.apis.predict_pb2 import PredictRequest, PredictResponse
from tensorflow_serving.apis.regression_pb2 import RegressionResult

from serving.modelserver.encoding import encode
from serving.modelserver.rest.tensors import decoded, is_base64, kind_of, shortest, shown, to_array, to_json

Infos = Mapping[str, TensorInfo]


def parse(body: bytes) -> dict[str, Any]:
    """The JSON object in a body; NaN and Infinity are numbers.

    Raises:
        tf.errors.InvalidArgumentError: it is none.
    """
    if not body:
        raise _invalid("JSON Parse error: The document is empty")
    try:
        found = json.loads(body)
    except json.JSONDecodeError as error:
        raise _invalid(f"JSON Parse error: {error.msg} at offset: {error.pos}") from None
    except UnicodeDecodeError as error:
        raise _invalid(f"JSON Parse error: Invalid encoding in string. at offset: {error.start}") from None
    except RecursionError:
        raise _invalid("JSON Parse error: nested too deeply") from None
    if not isinstance(found, dict):
        raise _invalid(f"JSON Value: {shown(found)} Is not object")
    return found


def signature_of(document: Mapping[str, Any]) -> str:
    """The signature that a body names; empty for none."""
    name = document.get("signature_name", "")
    if not isinstance(name, str):
        raise _invalid(
            f"JSON Value: {shown(document)} not formatted correctly. 'signature_name' key must be a string value."
        )
    return name


def fill_inputs(document: Mapping[str, Any], infos: Infos, request: PredictRequest) -> bool:
    """Puts the tensors of a body into a request; whether it was in row form ("instances").

    Args:
        infos: the inputs of the signature, by name.
    """
    if not infos:
        raise _invalid(f"Failed to get input map for signature: {request.model_spec.signature_name or 'DEFAULT'}")
    if "instances" in document and "inputs" in document:
        raise _invalid(
            f"JSON Value: {shown(document)} Not formatted correctly expecting only one of 'inputs' or 'instances' keys "
            "to exist "
        )
    if "instances" in document:
        arrays = _rows(document, infos)
    elif "inputs" in document:
        arrays = _columns(document["inputs"], infos)
    else:
        raise _invalid("Missing 'inputs' or 'instances' key")
    for name, array in arrays.items():
        encode(array, request.inputs[name], content=True)
    return "instances" in document


def _rows(document: Mapping[str, Any], infos: Infos) -> dict[str, np.ndarray]:
    instances = document["instances"]
    if not isinstance(instances, list):
        raise _invalid(f"JSON Value: {shown(document)} Excepting 'instances' to be an list/array")
    if not instances:
        raise _invalid(f"JSON Value: {shown(document)} No values in 'instances' array")
    if not isinstance(instances[0], dict) and len(infos) > 1:
        raise _invalid(
            "instances is a plain list, but expecting list of objects as multiple input tensors required as per "
            "tensorinfo_map"
        )
    named = _is_named(instances[0])
    found: dict[str, list[np.ndarray]] = {}
    for number, instance in enumerate(instances):
        if _is_named(instance) != named:
            got = "Expecting object but got list" if named else "Expecting value/list but got object"
            raise _invalid(f"{got} at item {number} of input list")
        for name, value in (instance if named else {next(iter(infos)): instance}).items():
            _add_row(found, name, value, infos, f"{number} key: {name}" if named else str(number))
        if named and set(instance) != set(infos):
            raise _invalid(
                f"Failed to process element: {number} of 'instances' list. JSON object: {shown(instance)} keys must be "
                f"equal to: {','.join(sorted(infos))}"
            )
    return {name: np.stack(arrays) for name, arrays in found.items()}


def _is_named(instance: Any) -> bool:
    return isinstance(instance, dict) and not is_base64(instance)


def _add_row(found: dict[str, list[np.ndarray]], name: str, value: Any, infos: Infos, element: str) -> None:
    try:
        if name not in infos:
            raise _invalid(f"JSON object: does not have named input: {name}")
        array = to_array(value, tf.as_dtype(infos[name].dtype))
        first = found.setdefault(name, [array])[0]
        if first.size != array.size:
            raise _invalid(f"Expecting tensor size: {first.size} but got: {array.size}")
        if first.shape != array.shape:
            raise _invalid(f"Expecting shape {_bracketed(first)} but got: {_bracketed(array)}")
    except tf.errors.InvalidArgumentError as error:
        raise _invalid(
            f"Failed to process element: {element} of 'instances' list. Error: INVALID_ARGUMENT: {error.message}"
        ) from None
    if array is not first:
        found[name].append(array)


def _columns(value: Any, infos: Infos) -> dict[str, np.ndarray]:
    if not _is_named(value):
        if len(infos) > 1:
            raise _invalid(
                "inputs is a plain value/list, but expecting an object as multiple input tensors required as per "
                "tensorinfo_map"
            )
        value = {next(iter(infos)): value}
    for name in infos:
        if name not in value:
            raise _invalid(f"Missing named input: {name} in 'inputs' object.")
    return {name: to_array(value[name], tf.as_dtype(info.dtype)) for name, info in infos.items()}


def predictions(response: PredictResponse, *, rows: bool) -> dict[str, Any]:
    """The body of a Predict answer, in the form of its request."""
    arrays = {name: tf.make_ndarray(proto) for name, proto in sorted(response.outputs.items())}
    if not rows:
        columns = {name: to_json(name, array) for name, array in arrays.items()}
        return {"outputs": columns if len(columns) > 1 else next(iter(columns.values()))}
    number = -1
    for name, array in arrays.items():
        if array.ndim == 0:
            raise _invalid(f"Tensor name: {name} has no shape information ")
        if number not in (-1, len(array)):
            raise _invalid(f"Tensor name: {name} has inconsistent batch size: {len(array)} expecting: {number}")
        number = len(array)
    lists = {name: to_json(name, array) for name, array in arrays.items()}
    if len(lists) == 1:
        return {"predictions": next(iter(lists.values()))}
    return {"predictions": [dict(zip(lists, row, strict=True)) for row in zip(*lists.values(), strict=True)]}


def fill_examples(document: Mapping[str, Any], examples: Input) -> None:
    """Puts the examples of a body, and their context if it has one, into a Classify or Regress request's input."""
    if "context" in document:
        _fill_example(document["context"], examples.example_list_with_context.context)
    if "examples" not in document:
        raise _invalid(
            f"JSON Value: {shown(document)} When method is classify, key 'examples' is expected and was not found"
        )
    listed = document["examples"]
    if not isinstance(listed, list):
        raise _invalid(f"JSON Value: {shown(document)} Expecting 'examples' value to be an list/array")
    if not listed:
        raise _invalid(f"JSON Value: {shown(document)} 'examples' value is an empty array")
    kept = examples.example_list_with_context if "context" in document else examples.example_list
    for example in listed:
        _fill_example(example, kept.examples.add())


def _fill_example(value: Any, example: Example) -> None:
    if not isinstance(value, dict):
        raise _invalid(f"Example must be JSON object but got JSON {kind_of(value)}")
    for name, content in value.items():
        feature = example.features.feature[name]
        for one in content if isinstance(content, list) else [content]:
            _add_value(name, one, feature)


def _add_value(name: str, value: Any, feature: Feature) -> None:
    kept: int | float | bytes
    if isinstance(value, int):  # JSON's true and false count as 1 and 0
        kind, kept = "int64_list", int(value)
    elif isinstance(value, float):
        kind, kept = "float_list", float(to_array(value, tf.float32))
    elif isinstance(value, str) or is_base64(value):
        kind, kept = "bytes_list", value.encode() if isinstance(value, str) else decoded(value)
    else:
        raise _invalid(f"Feature: {name} has element with unexpected JSON type: {kind_of(value)}")
    if feature.WhichOneof("kind") not in (None, kind):
        expected = str(feature.WhichOneof("kind")).removesuffix("_list")
        raise _invalid(f"Unexpected element type in feature: {name} expecting type: {expected}")
    try:
        getattr(feature, kind).value.append(kept)
    except (OverflowError, ValueError):
        raise _invalid(f"Feature: {name} has uint64 element. Only int64 is supported.") from None


def classifications(result: ClassificationResult) -> dict[str, Any]:
    """The body of a Classify answer: label and score of each class of each example."""
    return {
        "results": [
            [[one.label, float(shortest(np.array(one.score, np.float32)))] for one in answer.classes]
            for answer in result.classifications
        ]
    }


def regressions(result: RegressionResult) -> dict[str, Any]:
    """The body of a Regress answer: one number for each example."""
    return {"results": shortest(np.array([one.value for one in result.regressions], np.float32)).tolist()}


def statuses(response: GetModelStatusResponse) -> dict[str, Any]:
    """The body of a status answer."""
    return MessageToDict(response, always_print_fields_with_no_presence=True)


def metadata(response: GetModelMetadataResponse) -> dict[str, Any]:
    """The body of a metadata answer."""
    signatures = SignatureDefMap()
    response.metadata["signature_def"].Unpack(signatures)
    how = {"always_print_fields_with_no_presence": True, "preserving_proto_field_name": True}
    return {
        "model_spec": MessageToDict(response.model_spec, **how),
        "metadata": {"signature_def": MessageToDict(signatures, **how)},
    }


def _bracketed(array: np.ndarray) -> str:
    return "[" + ",".join(str(size) for size in array.shape) + "]"


def _invalid(message: str) -> tf.errors.InvalidArgumentError:
    return tf.errors.InvalidArgumentError(None, None, message)
