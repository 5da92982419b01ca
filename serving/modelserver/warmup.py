"""Replays the requests that a bundle brings along, so that the first caller does not pay for the first run."""

from __future__ import annotations

import time
from contextlib import ExitStack
from pathlib import Path

import tensorflow as tf
from google.protobuf.message import DecodeError
from tensorflow_serving.apis.prediction_log_pb2 import PredictionLog

from serving.modelserver.call import Unhurried
from serving.modelserver.examples import Examples
from serving.modelserver.predict import predict
from serving.modelserver.running import Run
from serving.modelserver.servables import Servable

WARMUP_FILE = Path("assets.extra") / "tf_serving_warmup_requests"
MOST_RECORDS = 1000


def warm_up(servable: Servable, run: Run, folder: Path, *, rest: float = 0.0) -> int:
    """Runs every record of the version's warm-up file, if it has one, and returns how many there were.

    What signatures share is run once for each shape, not once for each of them.

    Args:
        servable: the version.
        run: how its signatures are run.
        folder: its files.
        rest: after each record, so many times as long as that took, so that calls which had to wait for it are over
            before the next.

    The file is a TFRecord file of PredictionLog messages, at most 1000, as TensorFlow Serving reads it
    (servables/tensorflow/saved_model_warmup_util.cc). As there, one failing record fails the version.

    Raises:
        tf.errors.OpError: a record failed, is of a kind that this server does not answer, or is damaged.
    """
    path = folder / WARMUP_FILE
    if not path.is_file():
        return 0
    number = 0
    with ExitStack() as rehearsal:
        for network in servable.networks:
            rehearsal.enter_context(network.rehearsing())
        for record in tf.data.TFRecordDataset(str(path)).as_numpy_iterator():
            number += 1
            if number > MOST_RECORDS:
                raise tf.errors.InvalidArgumentError(
                    None, None, f"Number of warmup records exceeds the maximum ({MOST_RECORDS}) at {path}"
                )
            began_s = time.monotonic()
            _replay(servable, run, _parse(record, number))
            time.sleep(rest * (time.monotonic() - began_s))
    return number


def _parse(record: bytes, number: int) -> PredictionLog:
    try:
        return PredictionLog.FromString(record)
    except DecodeError:
        raise tf.errors.InvalidArgumentError(
            None, None, f"Failed to parse warmup record {number}: no PredictionLog"
        ) from None


def _replay(servable: Servable, run: Run, log: PredictionLog) -> None:
    kind, call, examples = log.WhichOneof("log_type"), Unhurried(), Examples(servable, run)
    if kind == "predict_log":
        predict(servable, run, log.predict_log.request, call)
    elif kind == "classify_log":
        examples.classify(log.classify_log.request.model_spec, log.classify_log.request.input, call)
    elif kind == "regress_log":
        examples.regress(log.regress_log.request.model_spec, log.regress_log.request.input, call)
    elif kind == "multi_inference_log":
        examples.multi_inference(log.multi_inference_log.request, call)
    else:
        raise tf.errors.UnimplementedError(None, None, f"Unsupported log_type for warmup: {kind}")
