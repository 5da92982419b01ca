"""Which batch sizes a bundle's warm-up requests cover."""

from __future__ import annotations

import tensorflow as tf
from tensorflow_serving.apis.prediction_log_pb2 import PredictionLog

from zoo.bundles import EXTRA, Bundle


def warmed_sizes(bundle: Bundle) -> tuple[int, ...]:
    """The batch sizes that every signature of a bundle is warmed up with, rising; none where it has no such file.

    Read from `assets.extra/tf_serving_warmup_requests`: a TFRecord of PredictionLog
    (https://www.tensorflow.org/tfx/serving/saved_model_warmup).
    """
    path = bundle.path / EXTRA / "tf_serving_warmup_requests"
    if not path.is_file():
        return ()
    sizes: dict[str, set[int]] = {}
    for record in tf.data.TFRecordDataset(str(path)).as_numpy_iterator():
        request = PredictionLog.FromString(record).predict_log.request
        (tensor, *_) = request.inputs.values()
        sizes.setdefault(request.model_spec.signature_name, set()).add(tensor.tensor_shape.dim[0].size)
    return tuple(sorted(set.intersection(*sizes.values()))) if sizes else ()
