"""The warm-up file of a bundle: requests that TensorFlow Serving plays to itself before a version takes traffic."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import tensorflow as tf
from tensorflow_serving.apis import predict_pb2, prediction_log_pb2

from zoo import signatures
from zoo.cards import InputSpec, ModelCard

GREY = 128


def write_warmup(path: Path, card: ModelCard, batch_sizes: Sequence[int]) -> None:
    """Writes one request for every signature and batch size, as a TFRecord of `PredictionLog`.

    A record that fails stops TensorFlow Serving loading the version, so the bundle's own signatures must
    answer each of them (tested).

    Args:
        path: `assets.extra/tf_serving_warmup_requests` of the bundle.
        card: of the same bundle.
        batch_sizes: the batch sizes that the server is allowed to form.

    Source: https://www.tensorflow.org/tfx/serving/saved_model_warmup
    """
    with tf.io.TFRecordWriter(str(path)) as writer:
        for request in _requests(card, batch_sizes):
            log = prediction_log_pb2.PredictLog(request=request)
            writer.write(prediction_log_pb2.PredictionLog(predict_log=log).SerializeToString())


def _requests(card: ModelCard, batch_sizes: Sequence[int]) -> Iterator[predict_pb2.PredictRequest]:
    for signature in (signatures.SERVE, signatures.ANALYZE, signatures.ANALYZE_ENCODED):
        for batch in batch_sizes:
            request = predict_pb2.PredictRequest()
            request.model_spec.name = card.name
            request.model_spec.signature_name = signature
            if signature == signatures.ANALYZE_ENCODED:
                request.inputs["encoded"].CopyFrom(tf.make_tensor_proto([_png(card.input)] * batch))
            else:
                request.inputs["image"].CopyFrom(_grey(card.input, batch))
            yield request


def _grey(spec: InputSpec, batch: int) -> tf.compat.v1.TensorProto:
    """A grey batch; one value stands for all, so that the file stays small."""
    shape = (batch, spec.height, spec.width, spec.channels)
    proto = tf.make_tensor_proto([], dtype=tf.uint8, shape=[0])
    proto.tensor_shape.CopyFrom(tf.TensorShape(shape).as_proto())
    proto.ClearField("tensor_content")
    proto.int_val.append(GREY)
    return proto


def _png(spec: InputSpec) -> bytes:
    picture = tf.fill([spec.height, spec.width, spec.channels], tf.constant(GREY, tf.uint8))
    return tf.io.encode_png(picture).numpy()
