"""What a bundle's graph answers: the three signatures, over one forward pass and one copy of the weights.

| signature | in | out |
|---|---|---|
| `serving_default` | `image` uint8 [B, H, W, C] | `probability` f32 [B, L] calibrated, `logit` f32 [B, L] |
| `analyze` | `image` | the same, and `evidence` f32 [B, h, w, L], `embedding` f32 [B, K] |
| `analyze_encoded` | `encoded` string [B], PNG or JPEG | the same as `analyze` |
"""

from __future__ import annotations

from collections.abc import Callable

import keras
import tensorflow as tf

from zoo import keras_settings
from zoo.calibration import tf_calibrated
from zoo.cards import InputSpec, ModelCard
from zoo.explain.evidence import tf_evidence
from zoo.models import classifier

SERVE, ANALYZE, ANALYZE_ENCODED = "serving_default", "analyze", "analyze_encoded"
Answers = dict[str, tf.Tensor]


class Served(tf.Module):
    """A classifier as TensorFlow Serving runs it.

    Only the variables are attributes: a Keras model held here would be written a second time, as objects.

    Args:
        model: a classifier that gives logits.
        card: whose input, kind and calibration the graph carries.

    Raises:
        BadConfig: Keras' global settings are not those that the network is written for.
    """

    def __init__(self, model: keras.Model, card: ModelCard) -> None:
        keras_settings.check()
        super().__init__(name="kerascope")
        self.weights = [weight.value for weight in model.weights]
        self.functions = _functions(model, card)


def _functions(model: keras.Model, card: ModelCard) -> dict[str, Callable[..., Answers]]:
    spec = card.input
    image = tf.TensorSpec([None, spec.height, spec.width, spec.channels], tf.uint8, name="image")
    encoded = tf.TensorSpec([None], tf.string, name="encoded")
    # Traced once and called by all three: one copy of the network in the graph, and only what is asked for is run.
    answer = tf.function(_answer(model, card), input_signature=[image])

    @tf.function(input_signature=[image])
    def serving_default(image: tf.Tensor) -> Answers:
        answers = answer(image)
        return {name: answers[name] for name in ("probability", "logit")}

    @tf.function(input_signature=[image])
    def analyze(image: tf.Tensor) -> Answers:
        return answer(image)

    @tf.function(input_signature=[encoded])
    def analyze_encoded(encoded: tf.Tensor) -> Answers:
        return answer(decode_batch(encoded, spec))

    return {SERVE: serving_default, ANALYZE: analyze, ANALYZE_ENCODED: analyze_encoded}


def _answer(model: keras.Model, card: ModelCard) -> Callable[[tf.Tensor], Answers]:
    pool = model.get_layer(classifier.POOL)
    network = keras.Model(model.inputs[0], [pool.input, pool.output])
    head = classifier.head(model)

    def answer(image: tf.Tensor) -> Answers:
        features, pooled = network(tf.cast(image, tf.float32), training=False)
        kernel = tf.convert_to_tensor(head.kernel)
        logit = tf.matmul(pooled, kernel) + tf.convert_to_tensor(head.bias)
        return {
            "probability": tf_calibrated(logit, card),
            "logit": logit,
            "evidence": tf_evidence(features, kernel),
            "embedding": pooled,
        }

    return answer


def decode_batch(encoded: tf.Tensor, spec: InputSpec) -> tf.Tensor:
    """PNG or JPEG files as the model's `image`: what `zoo.imaging.preprocess` gives, to one grey level.

    A JPEG's EXIF orientation is not followed; the gateway, which reads files itself, does follow it.

    Args:
        encoded: string [B].
        spec: the card's.

    Returns:
        uint8 [B, height, width, channels].
    """
    one = tf.TensorSpec([spec.height, spec.width, spec.channels], tf.uint8)
    with tf.device("/CPU:0"):  # there are no GPU kernels for any of it
        return tf.map_fn(lambda data: _decode(data, spec), encoded, fn_output_signature=one)


def _decode(data: tf.Tensor, spec: InputSpec) -> tf.Tensor:
    colour = tf.cond(tf.io.is_jpeg(data), lambda: _from_jpeg(data), lambda: _from_png(data))
    pixels = _luma(colour) if spec.channels == 1 else colour
    return _resize(pixels, spec)


def _from_jpeg(data: tf.Tensor) -> tf.Tensor:
    # Pillow's own transform; TensorFlow's default is a faster one that is off by several grey levels.
    return tf.cast(tf.io.decode_jpeg(data, channels=3, dct_method="INTEGER_ACCURATE"), tf.int32)


def _from_png(data: tf.Tensor) -> tf.Tensor:
    """Transparency goes to black, and 16 bits to their upper 8, as in `zoo.imaging.image`."""
    pixels = tf.cast(tf.io.decode_png(data, channels=4), tf.int32)
    return (pixels[..., :3] * pixels[..., 3:] + 127) // 255


def _luma(colour: tf.Tensor) -> tf.Tensor:
    """ITU-R BT.601 in Pillow's integers: 0.299, 0.587 and 0.114 in 65536ths, rounded."""
    weighted = tf.reduce_sum(colour * tf.constant([19595, 38470, 7471]), axis=-1, keepdims=True)
    return (weighted + 0x8000) // 0x10000


def _resize(pixels: tf.Tensor, spec: InputSpec) -> tf.Tensor:
    """Antialiased bilinear. Pillow rounds once more, between its two passes, which moves a pixel by one at most."""
    size = [spec.height, spec.width]
    resized = tf.image.resize(tf.cast(pixels, tf.float32), size, antialias=True)
    return tf.ensure_shape(tf.cast(tf.clip_by_value(tf.round(resized), 0, 255), tf.uint8), [*size, spec.channels])
