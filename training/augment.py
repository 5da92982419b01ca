"""Pictures a little different each time, as patients and exposures differ; never one that no scanner would make.

Turned, shifted and scaled pictures are continued at their edge, not filled with black, for a black border is
something a network learns from. Flips only where the task allows them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import tensorflow as tf

from training.config import Augment
from zoo.tasks import Task


@dataclass(frozen=True)
class Augmenter:
    """Varies batches of pictures; the same seed and batch number give the same pictures.

    Attributes:
        strength: how far.
        flip_horizontal: whether left and right may change places.
        flip_vertical: the same, top and bottom.
    """

    strength: Augment
    flip_horizontal: bool = False
    flip_vertical: bool = False

    @classmethod
    def for_task(cls, strength: Augment, task: Task) -> Augmenter:
        """Flips as the task allows."""
        return cls(strength, task.flip_horizontal, task.flip_vertical)

    def apply(self, dataset: tf.data.Dataset, *, seed: int, epoch: int) -> tf.data.Dataset:
        """Varies every batch of a dataset of (pictures, labels); seed, epoch and step decide how."""

        def vary(step: tf.Tensor, batch: tuple[tf.Tensor, tf.Tensor]) -> tuple[tf.Tensor, tf.Tensor]:
            pictures, labels = batch
            return self(pictures, tf.stack([tf.constant(seed, tf.int64), epoch * 1_000_003 + step])), labels

        return dataset.enumerate().map(vary, num_parallel_calls=2, deterministic=True)

    def __call__(self, pictures: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        """Varies one batch.

        Args:
            pictures: float32 [B, H, W, C] in [0, 255].
            seed: int [2].

        Returns:
            float32 [B, H, W, C] in [0, 255].
        """
        draw = _Draws(tf.shape(pictures)[0], seed)
        return self._greys(self._move(pictures, draw), draw)

    def _move(self, pictures: tf.Tensor, draw: _Draws) -> tf.Tensor:
        how = self.strength
        if not (how.rotation or how.shift or how.zoom or self.flip_horizontal or self.flip_vertical):
            return pictures
        shape = tf.shape(pictures)
        height, width = tf.cast(shape[1], tf.float32), tf.cast(shape[2], tf.float32)
        transforms = _transforms(
            angle=draw.even(math.radians(how.rotation)),
            shift_x=draw.even(how.shift) * width,
            shift_y=draw.even(how.shift) * height,
            scale=1 + draw.even(how.zoom),
            aspect=1 + draw.even(how.zoom / 4),
            flip_x=draw.sign(self.flip_horizontal),
            flip_y=draw.sign(self.flip_vertical),
            height=height,
            width=width,
        )
        return tf.raw_ops.ImageProjectiveTransformV3(
            images=pictures,
            transforms=transforms,
            output_shape=shape[1:3],
            fill_value=0.0,
            interpolation="BILINEAR",
            fill_mode="NEAREST",
        )

    def _greys(self, pictures: tf.Tensor, draw: _Draws) -> tf.Tensor:
        how = self.strength
        x = pictures / 255
        if how.gamma > 1:
            x = tf.pow(tf.clip_by_value(x, 0.0, 1.0), _each(tf.exp(draw.even(math.log(how.gamma)))))
        if how.contrast:
            mean = tf.reduce_mean(x, axis=(1, 2, 3), keepdims=True)
            x = (x - mean) * _each(1 + draw.even(how.contrast)) + mean
        if how.brightness:
            x += _each(draw.even(how.brightness))
        if how.noise:
            x += draw.normal(tf.shape(x)) * _each(tf.abs(draw.even(how.noise)))
        return tf.clip_by_value(x, 0.0, 1.0) * 255


class _Draws:
    """Random numbers, one per picture; each call draws new ones from the one seed."""

    def __init__(self, count: tf.Tensor, seed: tf.Tensor) -> None:
        self._count, self._seed, self._calls = count, seed, 0

    def even(self, most: float) -> tf.Tensor:
        """float32 [B], evenly between -most and most."""
        return tf.random.stateless_uniform([self._count], self._next(), -most, most) if most else tf.zeros(self._count)

    def sign(self, allowed: bool) -> tf.Tensor:
        """float32 [B], 1 or, where allowed, as often -1."""
        return tf.where(self.even(1.0) < 0, -1.0, 1.0) if allowed else tf.ones(self._count)

    def normal(self, shape: tf.Tensor) -> tf.Tensor:
        """float32 of this shape, mean 0, variance 1."""
        return tf.random.stateless_normal(shape, self._next())

    def _next(self) -> tf.Tensor:
        self._calls += 1
        return self._seed + tf.constant([self._calls * 7_919, self._calls], self._seed.dtype)


def _each(values: tf.Tensor) -> tf.Tensor:
    """[B] as [B, 1, 1, 1]."""
    return values[:, None, None, None]


def _transforms(
    *,
    angle: tf.Tensor,
    shift_x: tf.Tensor,
    shift_y: tf.Tensor,
    scale: tf.Tensor,
    aspect: tf.Tensor,
    flip_x: tf.Tensor,
    flip_y: tf.Tensor,
    height: tf.Tensor,
    width: tf.Tensor,
) -> tf.Tensor:
    """Where each output pixel is read from: [B, 8], x' = a0 x + a1 y + a2, y' = a3 x + a4 y + a5, about the centre."""
    along_x, along_y = 1 / (scale * aspect) * flip_x, aspect / scale * flip_y
    a0, a1 = tf.cos(angle) * along_x, -tf.sin(angle) * along_y
    a3, a4 = tf.sin(angle) * along_x, tf.cos(angle) * along_y
    x, y = (width - 1) / 2, (height - 1) / 2
    a2 = x - a0 * x - a1 * y + shift_x
    a5 = y - a3 * x - a4 * y + shift_y
    zero = tf.zeros_like(angle)
    return tf.stack([a0, a1, a2, a3, a4, a5, zero, zero], axis=1)
