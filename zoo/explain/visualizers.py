"""The explanation methods of tf-keras-vis, one call for all, on the layer that feeds the pooling.

Always on logits, and always with `seek_penultimate_conv_layer=False`: the library's own search for "the last
convolution" ends in a side branch of most backbones (32 of 1024 maps on DenseNet121).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf
from tf_keras_vis.gradcam import Gradcam
from tf_keras_vis.gradcam_plus_plus import GradcamPlusPlus
from tf_keras_vis.layercam import Layercam
from tf_keras_vis.saliency import Saliency
from tf_keras_vis.scorecam import Scorecam

from zoo import errors
from zoo.models import classifier
from zoo.results import Method

FloatMap = npt.NDArray[np.float32]

SMOOTH_SAMPLES = 16
SMOOTH_NOISE = 0.1  # standard deviation of the noise, as a share of the picture's range
SCORE_CAM_MAPS = 64  # the maps that vary most; all of ResNet50's 2048 would take minutes
SCORE_CAM_BATCH = 32

_CAMS: dict[Method, type[Gradcam]] = {
    Method.GRAD_CAM: Gradcam,
    Method.GRAD_CAM_PLUS_PLUS: GradcamPlusPlus,
    Method.LAYER_CAM: Layercam,
}


def explain(
    model: keras.Model, pixels: npt.NDArray[np.generic], *, method: Method, label: int, seed: int = 0
) -> FloatMap:
    """Where one label's answer comes from, by one method.

    Args:
        model: a classifier that gives logits (`zoo.models.classifier.build`).
        pixels: [height, width, channels] in [0, 255], already preprocessed.
        method: which.
        label: index of the output.
        seed: of SmoothGrad's noise; the other methods draw nothing.

    Returns:
        float32, none of it negative, not divided by its maximum: for the CAMs [h, w], the grid of the evidence
        layer, and for saliency and SmoothGrad [height, width], in logits per grey level.

    Raises:
        BadRequest: no such label.
    """
    labels = model.output_shape[-1]
    if not 0 <= label < labels:
        raise errors.BadRequest(f"There is no label number {label}: the model has {labels}, counted from 0.")
    images = tf.constant(np.asarray(pixels, np.float32)[None])
    if method is Method.SCORE_CAM:
        found = _score_cam(model, images, label)
    elif method in (Method.SALIENCY, Method.SMOOTH_GRAD):
        found = _saliency(model, images, label, SMOOTH_SAMPLES if method is Method.SMOOTH_GRAD else 0, seed)
    else:
        found = _cam(_CAMS[method], model, images, label)
    return np.asarray(found, np.float32)[0]


def _logit(label: int) -> Callable[[tf.Tensor], tf.Tensor]:
    return lambda outputs: outputs[:, label]


def _cam(kind: type[Gradcam], model: keras.Model, images: tf.Tensor, label: int) -> npt.NDArray[np.floating]:
    return kind(model)(
        _logit(label),
        images,
        penultimate_layer=classifier.evidence_layer(model),
        seek_penultimate_conv_layer=False,
        expand_cam=False,
        normalize_cam=False,
    )


def _saliency(model: keras.Model, images: tf.Tensor, label: int, samples: int, seed: int) -> npt.NDArray[np.floating]:
    """Simonyan et al. 2013 (arXiv 1312.6034), eq. 1; with samples Smilkov et al. 2017 (arXiv 1706.03825), section 3."""
    listed = keras.Model(model.inputs, model.outputs)  # the library calls it with a list, and Keras wants it told
    with _seeded(seed):
        return Saliency(listed)(
            _logit(label), images, smooth_samples=samples, smooth_noise=SMOOTH_NOISE, normalize_map=False
        )


def _score_cam(model: keras.Model, images: tf.Tensor, label: int) -> npt.NDArray[np.floating]:
    """Wang et al. 2020 (arXiv 1910.01279), algorithm 1: each map is weighted by exp(logit) of the picture seen
    through it. The paper divides by the sum over the maps, which scales the whole; the library asks for one
    weight at a time, so here it is divided by exp(logit) of the whole picture: the ratio of the odds.
    """
    paired = _against_zero(model, label)
    whole = float(model(images, training=False)[0, label])
    maps = model.get_layer(classifier.evidence_layer(model)).output.shape[-1]
    return Scorecam(paired)(
        lambda probabilities: tf.exp(tf.minimum(_log_odds(probabilities) - whole, 80.0)),
        images,
        penultimate_layer=classifier.evidence_layer(model),
        seek_penultimate_conv_layer=False,
        batch_size=SCORE_CAM_BATCH,
        max_N=min(SCORE_CAM_MAPS, maps),
        expand_cam=False,
        normalize_cam=False,
    )


def _against_zero(model: keras.Model, label: int) -> keras.Model:
    """The model with outputs (logit, 0), for a library that takes the softmax of what it is given.

    Its `predict` is replaced, too: Keras' own draws a progress bar and traces a graph for a handful of batches.
    """
    logit = model.output[:, label : label + 1]
    paired = keras.Model(model.inputs, keras.ops.concatenate([logit, keras.ops.zeros_like(logit)], axis=-1))

    def predict(inputs: list[npt.NDArray[np.floating]], batch_size: int) -> npt.NDArray[np.floating]:
        batches = (inputs[0][start : start + batch_size] for start in range(0, len(inputs[0]), batch_size))
        return np.concatenate([paired([batch], training=False).numpy() for batch in batches])

    paired.predict = predict
    return paired


def _log_odds(probabilities: tf.Tensor) -> tf.Tensor:
    """Undoes the softmax over (logit, 0): the logit, up to about 80 either way."""
    tiny = tf.constant(np.finfo(np.float32).tiny)
    logs = tf.math.log(tf.maximum(probabilities, tiny))
    return logs[..., 0] - logs[..., 1]


@contextmanager
def _seeded(seed: int) -> Iterator[None]:
    """The library draws its noise from NumPy's global generator; everybody else's state is put back."""
    before = np.random.get_state()
    np.random.seed(seed)
    try:
        yield
    finally:
        np.random.set_state(before)
