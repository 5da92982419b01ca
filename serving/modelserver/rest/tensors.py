"""JSON values to arrays and back.

What is accepted and the messages are those of TensorFlow Serving's util/json_tensor.cc. In one thing this is stricter:
a number that an integer type cannot hold is refused, where TensorFlow Serving lets it wrap around.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

_INTEGERS = (tf.int8, tf.int16, tf.int32, tf.int64, tf.uint8, tf.uint16, tf.uint32, tf.uint64)
_FLOATS = {tf.float32: 24, tf.float64: 53}  # bits of precision
_NAMES = {tf.float32: "float", tf.float64: "double"}

Take = Callable[[Iterable[Any]], None]


def to_array(value: Any, dtype: tf.DType) -> np.ndarray:
    """A number, string, {"b64": ...} or nested lists of such, all of one length at each level, as an array.

    Strings come as bytes in an array of objects.

    Raises:
        tf.errors.InvalidArgumentError: another type, ragged lists, a number that the type cannot hold.
        tf.errors.UnimplementedError: a type that JSON is not turned into.
    """
    if dtype != tf.string and dtype != tf.bool and dtype not in _INTEGERS and dtype not in _FLOATS:
        shown = json.dumps(value)[:100]
        raise tf.errors.UnimplementedError(None, None, f"Conversion of JSON Value: {shown} to type: {dtype.name}")
    shape = _shape(value)
    leaves: list[Any] = []
    _collect(value, 0, shape, dtype, leaves.extend)
    if dtype in _INTEGERS:
        _check_integers(leaves, dtype)
    elif dtype in _FLOATS:
        _check_floats(leaves, dtype)
    array = np.empty(len(leaves), dtype.as_numpy_dtype)
    array[:] = leaves
    return array.reshape(shape)


def _shape(value: Any) -> list[int]:
    shape = []
    while isinstance(value, list):
        shape.append(len(value))
        value = value[0] if value else None
    return shape


def _collect(
    value: Any, level: int, shape: Sequence[int], dtype: tf.DType, take: Callable[[Iterable[Any]], None]
) -> None:
    if not isinstance(value, list):
        if level != len(shape):
            raise _invalid(
                f"JSON Value: {shown(value)} found at incorrect level: {level + 1} in the JSON DOM. "
                f"Expected at level: {len(shape)}"
            )
        take(_leaves([value], dtype))
        return
    if level >= len(shape):
        raise _invalid(f"Encountered list at unexpected level: {level} expected < {len(shape)}")
    if len(value) != shape[level]:
        raise _invalid(
            f"Encountered list at unexpected size: {len(value)} at level: {level} expected size: {shape[level]}"
        )
    if level == len(shape) - 1 and not any(isinstance(one, list) for one in value):
        take(_leaves(value, dtype))
        return
    for one in value:
        _collect(one, level + 1, shape, dtype, take)


def _leaves(values: list[Any], dtype: tf.DType) -> Iterable[Any]:
    """The values if all are of the right kind of JSON."""
    kinds = set(map(type, values))
    if dtype == tf.string:
        return [_bytes(value) for value in values]
    allowed = {bool} if dtype == tf.bool else {int} if dtype in _INTEGERS else {int, float}
    if not kinds <= allowed:
        raise _type_error(next(value for value in values if type(value) not in allowed), dtype)
    return values


def _bytes(value: Any) -> bytes:
    if isinstance(value, str):
        return value.encode()
    if not isinstance(value, dict):
        raise _type_error(value, tf.string)
    if not is_base64(value):
        raise _invalid(f"JSON Value: {shown(value)} not formatted correctly for base64 data")
    return decoded(value)


def is_base64(value: Any) -> bool:
    """Whether it is bytes in base64: an object whose one key is "b64"."""
    return isinstance(value, dict) and list(value) == ["b64"] and isinstance(value["b64"], str)


def decoded(value: dict[str, str]) -> bytes:
    """The bytes of such an object; raises InvalidArgument if they are damaged."""
    text = value["b64"].strip()
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise _invalid("Unable to base64 decode") from None


def _check_integers(leaves: list[Any], dtype: tf.DType) -> None:
    if leaves and (min(leaves) < dtype.min or max(leaves) > dtype.max):
        raise _type_error(next(leaf for leaf in leaves if not dtype.min <= leaf <= dtype.max), dtype)


def _check_floats(leaves: list[Any], dtype: tf.DType) -> None:
    largest, largest_whole = float(np.finfo(dtype.as_numpy_dtype).max), 2 ** _FLOATS[dtype] - 1
    for leaf in leaves:
        limit = largest_whole if type(leaf) is int else largest
        if abs(leaf) > limit and leaf not in (float("inf"), float("-inf")):
            name = _NAMES[dtype]
            raise _invalid(f"Cannot convert JSON value: {shown(leaf)} to {name} without loss of precision.")


def to_json(name: str, array: np.ndarray) -> Any:
    """Nested lists of numbers, booleans or strings; an output of strings named `..._bytes` as {"b64": ...}."""
    if array.dtype == object:
        return _strings(array, as_bytes=name.endswith("_bytes"))
    if array.dtype.kind in "biu":
        return array.tolist()
    return shortest(array).tolist()


def _strings(array: np.ndarray, *, as_bytes: bool) -> Any:
    def written(value: bytes) -> Any:
        return {"b64": base64.b64encode(value).decode()} if as_bytes else value.decode(errors="replace")

    shaped = np.empty(array.size, object)
    shaped[:] = [written(value) for value in array.ravel().tolist()]
    return shaped.reshape(array.shape).tolist()


def shortest(array: np.ndarray) -> np.ndarray:
    """float64 whose shortest decimals are those of the narrower floats: 0.1, and not 0.10000000149011612."""
    if array.dtype == np.float64:
        return array
    return array.astype(np.float32).astype("U32").astype(np.float64)


def shown(value: Any) -> str:
    """A JSON value for a message, cut where it is long."""
    text = json.dumps(value)
    return text if len(text) <= 200 else text[:200] + "..."


def kind_of(value: Any) -> str:
    """What a JSON value is, for a message."""
    kinds = {dict: "Object", list: "Array", str: "String", type(None): "Null"}
    return str(value) if isinstance(value, bool) else kinds.get(type(value), "Number")


def _type_error(value: Any, dtype: tf.DType) -> tf.errors.InvalidArgumentError:
    expected = _NAMES.get(dtype, dtype.name)
    return _invalid(f"JSON Value: {shown(value)} Type: {kind_of(value)} is not of expected type: {expected}")


def _invalid(message: str) -> tf.errors.InvalidArgumentError:
    return tf.errors.InvalidArgumentError(None, None, message)
