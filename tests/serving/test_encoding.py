"""Arrays become the TensorProtos that TensorFlow Serving answers with."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.framework.tensor_pb2 import TensorProto
from tensorflow_serving.apis.predict_pb2 import PredictResponse

from serving.modelserver.encoding import encode

NUMBERS = [tf.float32, tf.float64, tf.float16, tf.bfloat16, tf.int8, tf.int16, tf.int32, tf.int64]
NUMBERS += [tf.uint8, tf.uint16, tf.uint32, tf.uint64, tf.bool, tf.complex64, tf.complex128]


def sent(array: np.ndarray, *, content: bool = False) -> TensorProto:
    """An output of an answer, as it comes out of the wire."""
    response = PredictResponse()
    encode(array, response.outputs["y"], content=content)
    return PredictResponse.FromString(response.SerializeToString()).outputs["y"]


@pytest.mark.parametrize("content", [False, True], ids=["field", "content"])
@pytest.mark.parametrize("dtype", NUMBERS, ids=lambda dtype: dtype.name)
@pytest.mark.parametrize("shape", [(), (0, 3), (2, 3), (30, 20)], ids=str)
def test_numbers_come_back_as_they_were(dtype: tf.DType, shape: tuple[int, ...], content: bool) -> None:
    array = (np.arange(np.prod(shape, dtype=int)).reshape(shape) % 100).astype(dtype.as_numpy_dtype)
    proto = sent(array, content=content)
    np.testing.assert_array_equal(tf.make_ndarray(proto), array)
    assert proto.dtype == dtype.as_datatype_enum
    assert bool(proto.tensor_content) == (content and array.size > 0)


def test_a_field_holds_the_numbers_in_rows() -> None:
    assert list(sent(np.array([[1.5, 2], [3, -4]], "float32")).float_val) == [1.5, 2, 3, -4]
    assert list(sent(np.array([255, 0], "uint8")).int_val) == [255, 0]
    assert list(sent(np.array([1 + 2j], "complex64")).scomplex_val) == [1, 2]
    assert list(sent(np.array([1], "float16")).half_val) == [0x3C00]  # sign 0, exponent 15 of 15, fraction 0


@pytest.mark.parametrize("content", [False, True], ids=["field", "content"])
def test_strings_are_strings_either_way(content: bool) -> None:
    proto = sent(np.array([[b"Ada", b"\xff"]], object), content=content)
    assert (list(proto.string_val), proto.tensor_content) == ([b"Ada", b"\xff"], b"")


def test_rows_that_lie_apart_in_memory_are_written_in_order() -> None:
    array = np.arange(6, dtype="float32").reshape(2, 3).T
    assert list(sent(array).float_val) == [0, 3, 1, 4, 2, 5]
