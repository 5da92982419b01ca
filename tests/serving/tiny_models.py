"""SavedModels that can be worked out on paper, written where a test wants them."""

from __future__ import annotations

from pathlib import Path

import tensorflow as tf
from tensorflow_serving.apis.prediction_log_pb2 import PredictionLog


class Line(tf.Module):
    """y = 2 x + version; also `names` (strings to strings) and `picky`, which fails on what is no number."""

    def __init__(self, version: int) -> None:
        super().__init__()
        self.slope = tf.Variable(2.0)
        self.offset = tf.Variable(float(version))

    @tf.function
    def line(self, x: tf.Tensor) -> dict[str, tf.Tensor]:
        y = self.slope * x + self.offset
        return {"y": y, "total": tf.reduce_sum(y, axis=1)}

    @tf.function
    def names(self, name: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"greeting": tf.strings.join(["hello ", name])}

    @tf.function
    def picky(self, text: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"number": tf.strings.to_number(text)}


class Rows(tf.Module):
    """Tells with how many rows it was run: one number per row of `x`, whose other dimension is free."""

    @tf.function
    def rows(self, x: tf.Tensor) -> dict[str, tf.Tensor]:
        number = tf.shape(x)[0]
        return {"rows": tf.fill([number], number), "sums": tf.reduce_sum(x, axis=1)}

    @tf.function
    def pair(self, a: tf.Tensor, b: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"sum": a + b}

    @tf.function
    def mean(self, x: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"mean": tf.reduce_mean(x)}


def write_rows(base_path: Path, version: int = 1, *, batching: str = "") -> Path:
    """Writes a version of `Rows`, with batching parameters of its own if they are given."""
    model, folder, table = Rows(), base_path / str(version), tf.TensorSpec([None, None], tf.float32, name="x")
    pair = [tf.TensorSpec(None, tf.float32, name=name) for name in ("a", "b")]
    signatures = {
        "serving_default": model.rows.get_concrete_function(table),
        "pair": model.pair.get_concrete_function(*pair),
        "mean": model.mean.get_concrete_function(table),
    }
    tf.saved_model.save(model, str(folder), signatures=signatures)
    if batching:
        (folder / "batching_params.pbtxt").write_text(batching)
    return folder


def write_line(base_path: Path, version: int, *, warm_up_with: list[PredictionLog] | None = None) -> Path:
    """Writes version `version` of `Line` below `base_path`, as one rename, so that it is never seen half-written."""
    model, strings = Line(version), tf.TensorSpec([None], tf.string)
    line = model.line.get_concrete_function(tf.TensorSpec([None, 3], tf.float32, name="x"))
    signatures = {
        "serving_default": line,
        "names": model.names.get_concrete_function(tf.TensorSpec(strings.shape, tf.string, name="name")),
        "picky": model.picky.get_concrete_function(tf.TensorSpec(strings.shape, tf.string, name="text")),
    }
    hidden = base_path / f".{version}"
    tf.saved_model.save(model, str(hidden), signatures=signatures)
    if warm_up_with is not None:
        (hidden / "assets.extra").mkdir()
        with tf.io.TFRecordWriter(str(hidden / "assets.extra" / "tf_serving_warmup_requests")) as file:
            for record in warm_up_with:
                file.write(record.SerializeToString())
    return hidden.rename(base_path / str(version))


class Judge(tf.Module):
    """Reads tf.Example with one feature `x`: the classes "small" and "large" with scores 10 - x and x, and y = 2 x."""

    def _x(self, serialized: tf.Tensor) -> tf.Tensor:
        return tf.io.parse_example(serialized, {"x": tf.io.FixedLenFeature([], tf.float32)})["x"]

    @tf.function
    def classify(self, inputs: tf.Tensor) -> dict[str, tf.Tensor]:
        x = self._x(inputs)
        names = tf.tile(tf.constant([["small", "large"]]), [tf.size(x), 1])
        return {"classes": names, "scores": tf.stack([10 - x, x], axis=1)}

    @tf.function
    def regress(self, inputs: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"outputs": 2 * self._x(inputs)}

    @tf.function
    def whole(self, inputs: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"outputs": tf.reduce_sum(self._x(inputs), keepdims=True)}

    @tf.function
    def other(self, text: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"scores": tf.zeros([tf.size(text), 2])}


def write_judge(base_path: Path) -> Path:
    """Writes version 1 of `Judge`, with signatures as TensorFlow 2 saves them: all of them for Predict by name."""
    model, strings = Judge(), tf.TensorSpec([None], tf.string, name="inputs")
    signatures = {
        name: getattr(model, name).get_concrete_function(strings) for name in ("classify", "regress", "whole")
    }
    signatures["other"] = model.other.get_concrete_function(tf.TensorSpec([None], tf.string, name="text"))
    tf.saved_model.save(model, str(base_path / "1"), signatures=signatures)
    return base_path / "1"


def write_session_graph(base_path: Path, version: int = 1) -> Path:
    """Writes a SavedModel of TensorFlow 1 by its own builder: y = 2 x + version; Classify and Regress on Examples."""
    v1, methods = tf.compat.v1, tf.compat.v1.saved_model.signature_constants
    build, info = v1.saved_model.build_signature_def, v1.saved_model.build_tensor_info
    with v1.Graph().as_default(), v1.Session() as session:
        x = v1.placeholder(tf.float32, [None, 3], "x")
        y = v1.get_variable("slope", initializer=2.0) * x + float(version)
        examples = v1.placeholder(tf.string, [None], "examples")
        z = tf.io.parse_example(examples, {"x": tf.io.FixedLenFeature([], tf.float32)})["x"]
        scores = tf.stack([10 - z, z], axis=1)
        session.run(v1.global_variables_initializer())
        writer = v1.saved_model.Builder(str(base_path / str(version)))
        of_examples = {"inputs": info(examples)}
        writer.add_meta_graph_and_variables(
            session,
            [v1.saved_model.tag_constants.SERVING],
            {
                "serving_default": build({"x": info(x)}, {"y": info(y)}, methods.PREDICT_METHOD_NAME),
                "classify": build(of_examples, {"scores": info(scores)}, methods.CLASSIFY_METHOD_NAME),
                "regress": build(of_examples, {"outputs": info(2 * z)}, methods.REGRESS_METHOD_NAME),
            },
        )
        writer.save()
    return base_path / str(version)
