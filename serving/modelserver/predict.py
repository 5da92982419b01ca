"""Predict: a request's tensors through a signature and back.

Checks, their order and the key phrases of their messages follow TensorFlow Serving's
servables/tensorflow/predict_util.cc and TensorFlow's cc/saved_model/util.cc; only the checks of type and
shape are ours in wording, since TensorFlow Serving leaves those to the graph. Every failure is a
`tf.errors.OpError`, whose code is the code of the answer.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
import tensorflow as tf
from tensorflow.core.framework.tensor_pb2 import TensorProto
from tensorflow_serving.apis.predict_pb2 import PredictRequest, PredictResponse

from serving.modelserver.call import Call
from serving.modelserver.encoding import encode
from serving.modelserver.running import Run
from serving.modelserver.servables import Servable, Signature

DEFAULT_SIGNATURE = "serving_default"

_DTYPE_NAMES = {tf.float32: "float", tf.float64: "double"}


def predict(
    servable: Servable, run: Run, request: PredictRequest, call: Call, *, content: bool = False
) -> PredictResponse:
    """Answers one request on one loaded version, whatever model and version the request names.

    Args:
        content: see `Options.enable_serialization_as_tensor_content`.

    Raises:
        tf.errors.OpError: FailedPrecondition for an unknown signature, InvalidArgument for inputs or an
            output_filter that do not fit it, and what running it raises.
    """
    signature = _signature(servable, request.model_spec.signature_name or DEFAULT_SIGNATURE)
    inputs = _inputs(signature, request)
    names = _output_names(signature, request.output_filter)
    outputs = run(signature, inputs, names, call)
    response = PredictResponse()
    response.model_spec.name = servable.name
    response.model_spec.version.value = servable.version
    response.model_spec.signature_name = signature.name
    for name in names:
        encode(outputs[name], response.outputs[name], content=content)
    return response


def _signature(servable: Servable, name: str) -> Signature:
    if name not in servable.signatures:
        raise tf.errors.FailedPreconditionError(None, None, f'Serving signature key "{name}" not found.')
    return servable.signatures[name]


def _inputs(signature: Signature, request: PredictRequest) -> dict[str, np.ndarray]:
    sent, defaults = request.inputs, signature.definition.defaults
    _check_number(signature, set(sent), bool(defaults))
    tensors = {}
    for position, (alias, spec) in enumerate(sorted(signature.inputs.items())):
        if alias in sent:
            tensors[alias] = decode(alias, position, sent[alias], spec)
        elif alias in defaults:
            tensors[alias] = decode(alias, position, defaults[alias], spec)
        else:
            feed = signature.definition.inputs[alias].name
            raise _invalid(
                f"Signature input alias: {alias}(feed name: {feed}) not found in request and no default value "
                f"provided. Inputs expected to be in the request {_braced(sent)}, or default input alias set: "
                f"{_braced(defaults)}"
            )
    return tensors


def _check_number(signature: Signature, sent: set[str], has_defaults: bool) -> None:
    expected = set(signature.inputs)
    if len(sent) > len(expected) or (len(sent) < len(expected) and not has_defaults):
        raise _invalid(
            f"input size does not match signature: {len(sent)}!={len(expected)} len({_braced(sent)}) != "
            f"len({_braced(expected)}). Sent extra: {_braced(sent - expected)}. "
            f"Missing but required: {_braced(expected - sent)}."
        )


def _output_names(signature: Signature, output_filter: Iterable[str]) -> list[str]:
    known, chosen = signature.definition.outputs, list(output_filter)
    for position, alias in enumerate(chosen):
        if alias not in known:
            raise _invalid(
                f"output tensor alias not found in signature: {alias} Outputs expected to be in the set "
                f"{_braced(known)}."
            )
        if alias in chosen[:position]:
            raise _invalid(f"duplicate output tensor alias: {alias}")
    return chosen or list(known)


def decode(alias: str, position: int, proto: TensorProto, spec: tf.TensorSpec) -> np.ndarray:
    """One input as an array, checked against its type and shape before anything is allocated.

    Raises:
        tf.errors.InvalidArgumentError: another type or shape, or content that does not fill the shape.
    """
    if proto.dtype != spec.dtype.as_datatype_enum:
        raise _invalid(
            f"Expects arg[{position}] to be {_dtype_name(spec.dtype.as_datatype_enum)} but "
            f'{_dtype_name(proto.dtype)} is provided (input "{alias}")'
        )
    shape = _shape(alias, proto)
    if not spec.shape.is_compatible_with(shape):
        raise _invalid(f'Input "{alias}" has shape {_bracketed(shape)}; the signature expects {_bracketed(spec.shape)}')
    try:
        return _array(proto, shape, spec.dtype)
    except (ValueError, TypeError, OverflowError):
        raise _invalid(f"tensor parsing error: {alias}") from None


def _shape(alias: str, proto: TensorProto) -> list[int]:
    shape = [dim.size for dim in proto.tensor_shape.dim]
    if proto.tensor_shape.unknown_rank or any(size < 0 for size in shape):
        raise _invalid(f"tensor parsing error: {alias}")
    return shape


def _array(proto: TensorProto, shape: list[int], dtype: tf.DType) -> np.ndarray:
    if proto.tensor_content and dtype != tf.string:
        return np.frombuffer(proto.tensor_content, dtype.as_numpy_dtype).reshape(shape)
    return tf.make_ndarray(proto)


def _invalid(message: str) -> tf.errors.InvalidArgumentError:
    return tf.errors.InvalidArgumentError(None, None, message)


def _dtype_name(datatype: int) -> str:
    try:
        dtype = tf.as_dtype(datatype)
    except TypeError:
        return f"unknown type {datatype}"
    return _DTYPE_NAMES.get(dtype, dtype.name)


def _braced(names: Iterable[str] | Mapping[str, object]) -> str:
    return "{" + ",".join(sorted(names)) + "}"


def _bracketed(shape: Iterable[int | None] | tf.TensorShape) -> str:
    if isinstance(shape, tf.TensorShape) and shape.rank is None:
        return "any"
    return "[" + ",".join("?" if size is None else str(size) for size in shape) + "]"
