"""Keras Applications behind one signature: from pixels in [0, 255] to the last feature maps, in one flat graph.

`BACKBONES` is the table; a name is all that a training file or a model card needs to say. The
preprocessing that the ImageNet weights were made with is part of the graph, as plain Keras layers.
"""

from __future__ import annotations

import difflib
import socket
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from zoo import errors
from zoo.backbones_published import NONE, PUBLISHED, Published

if TYPE_CHECKING:
    import keras
    from keras import KerasTensor

Mode = Literal["tf", "torch", "caffe", "included"]

# keras.applications.imagenet_utils.preprocess_input: red, green, blue of ImageNet, in [0, 1].
_TORCH_MEAN = (0.485, 0.456, 0.406)
TORCH_STANDARD_DEVIATION = (0.229, 0.224, 0.225)
_CAFFE_MEAN = (103.939, 116.779, 123.68)  # blue, green, red, in [0, 255]
SILENCE_S = 30.0  # after which a download has failed


@dataclass(frozen=True, kw_only=True)
class Backbone:
    """One network without its head.

    Attributes:
        name: as training files and cards write it.
        constructor: its name in `keras.applications`; "small_cnn" for our own.
        mode: how ImageNet pixels were prepared: `tf` x / 127.5 - 1; `torch` (x / 255 - mean) / standard
            deviation; `caffe` blue-green-red minus the mean; `included` in the network itself.
        size: height and width, in pixels, that the published weights were trained at.
        min_size: the smallest height and width the graph can be built for.
        width: the multiplier of MobileNet (its `alpha`); None where the family has none.
        pretrained: whether Keras publishes ImageNet weights for it.
    """

    name: str
    constructor: str
    mode: Mode
    size: int = 224
    min_size: int = 32
    width: float | None = None
    pretrained: bool = True

    @property
    def published(self) -> Published:
        """What Keras publishes of it: accuracy, parameters, size, depth; None where it publishes nothing."""
        return PUBLISHED.get(self.name, NONE)

    def features(self, pixels: KerasTensor, *, weights: Literal["imagenet"] | None) -> KerasTensor:
        """Builds the network onto `pixels`.

        Args:
            pixels: float32 [batch, height, width, 1 or 3] in [0, 255].
            weights: the ImageNet weights of Keras Applications, or None for random ones.

        Returns:
            The tensor that feeds global average pooling: float32 [batch, rows, columns, maps].

        Raises:
            BadConfig: the picture is too small, or the weights cannot be had.
        """
        self._check(pixels, weights)
        if self.constructor == "small_cnn":
            from zoo.models.small_cnn import small_cnn

            return small_cnn(pixels)
        prepared = preprocessed(pixels, self.mode)
        arguments = {} if self.width is None else {"alpha": self.width}
        try:
            return flattened(self._construct(prepared, weights, arguments), pixels)
        except Exception as error:
            if weights is None:
                raise
            raise errors.BadConfig(self._no_weights(error)) from None

    def _check(self, pixels: KerasTensor, weights: str | None) -> None:
        _, height, width, _ = pixels.shape
        if min(height, width) < self.min_size:
            raise errors.BadConfig(
                f"{self.name} takes pictures of {self.min_size} x {self.min_size} pixels or more, "
                f"got {height} x {width}. Set a larger image size, or take another backbone."
            )
        if weights == "imagenet" and not self.pretrained:
            raise errors.BadConfig(
                f"There are no ImageNet weights of {self.name}: it is trained from scratch. "
                'Set weights = "none", or take another backbone.'
            )

    def _construct(self, prepared: KerasTensor, weights: str | None, arguments: dict[str, float]) -> keras.Model:
        import keras

        constructor = getattr(keras.applications, self.constructor)
        with warnings.catch_warnings(), _network_timeout(SILENCE_S):
            # MobileNet says that other sizes than 224 take the weights of 224, which is what we want.
            warnings.filterwarnings("ignore", message=".*input_shape.*")
            return constructor(input_tensor=prepared, include_top=False, pooling=None, weights=weights, **arguments)

    def _no_weights(self, error: Exception) -> str:
        import os
        from pathlib import Path

        home = Path(os.path.expanduser(os.environ.get("KERAS_HOME", "~/.keras")))
        place = f"{home}/models"
        if home.exists() and not os.access(home, os.W_OK):
            place += f" ({home} is not writable, and then Keras looks in /tmp/.keras/models)"
        return (
            f"The ImageNet weights of {self.name} could not be had: {error}. Keras looks for them in {place} "
            "(set KERAS_HOME to choose another folder) and fetches what is missing. Check the network, put the "
            'file there by hand, or set weights = "none".'
        )


@contextmanager
def _network_timeout(seconds: float) -> Iterator[None]:
    """For Keras' downloads, which have no timeout of their own."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(seconds)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)


def preprocessed(pixels: KerasTensor, mode: Mode) -> KerasTensor:
    """ImageNet's preparation of the pixels as Keras layers; grey is first repeated to three channels.

    Equal to `keras.applications.<family>.preprocess_input` (tested).

    Args:
        pixels: float32 [batch, height, width, 1 or 3] in [0, 255].
        mode: see `Backbone.mode`.

    Returns:
        float32 [batch, height, width, 3].
    """
    from keras import layers, ops

    grey = pixels.shape[-1] == 1
    colour = layers.Concatenate(name="grey_to_rgb")([pixels] * 3) if grey else pixels
    if mode == "tf":
        return layers.Rescaling(1 / 127.5, offset=-1.0, name="preprocess")(colour)
    if mode == "torch":
        scale = [1 / (255 * deviation) for deviation in TORCH_STANDARD_DEVIATION]
        offset = [-m / d for m, d in zip(_TORCH_MEAN, TORCH_STANDARD_DEVIATION, strict=True)]
        return layers.Rescaling(scale, offset=offset, name="preprocess")(colour)
    if mode == "caffe":
        swapped = colour if grey else ops.flip(colour, axis=-1)
        return layers.Rescaling(1.0, offset=[-mean for mean in _CAFFE_MEAN], name="preprocess")(swapped)
    return colour


def flattened(network: keras.Model, pixels: KerasTensor) -> KerasTensor:
    """The output of `network` without models inside it: Keras writes ConvNeXt's halvings as small sequential models.

    Args:
        network: built onto `pixels`.
        pixels: its input.

    Returns:
        Its own output where it is flat already; else that of a copy with the same layers, names and weights, in which
        every layer of an inner sequential model stands by itself.
    """
    import keras

    inner = [layer for layer in network.layers if isinstance(layer, keras.Sequential)]
    if not inner:
        return network.output

    def call(layer: keras.layers.Layer, *inputs: KerasTensor, **options: object) -> KerasTensor:
        if not isinstance(layer, keras.Sequential):
            return layer(*inputs, **options)
        (x,) = inputs
        for part in layer.layers:
            x = type(part).from_config(part.get_config())(x)
        return x

    def clone(layer: keras.layers.Layer) -> keras.layers.Layer:
        return layer if isinstance(layer, keras.Sequential) else type(layer).from_config(layer.get_config())

    copy = keras.models.clone_model(network, input_tensors=pixels, clone_function=clone, call_function=call)
    alone = [layer for layer in network.layers if layer not in inner]
    for layer in [*alone, *(part for sequence in inner for part in sequence.layers)]:
        if layer.weights:
            copy.get_layer(layer.name).set_weights(layer.get_weights())
    return copy.output


def get(name: str) -> Backbone:
    """The backbone called `name`.

    Raises:
        BadConfig: there is none; the message names what is near.
    """
    try:
        return BACKBONES[name]
    except KeyError:
        near = difflib.get_close_matches(name, BACKBONES, n=4, cutoff=0.4) or list(BACKBONES)[:4]
        raise errors.BadConfig(
            f"No backbone is called {name!r}. Near it: {', '.join(near)}. There are {len(BACKBONES)}."
        ) from None


def _widths(name: str, constructor: str, widths: tuple[float, ...], mode: Mode) -> list[Backbone]:
    """A family with a width multiplier: the plain name is width 1, the others carry theirs."""
    return [
        Backbone(name=name if width == 1 else f"{name}-{width:g}", constructor=constructor, mode=mode, width=width)
        for width in widths
    ]


def _table() -> list[Backbone]:
    def one(name: str, constructor: str, mode: Mode, size: int = 224, min_size: int = 32) -> Backbone:
        return Backbone(name=name, constructor=constructor, mode=mode, size=size, min_size=min_size)

    b_sizes = (224, 240, 260, 300, 380, 456, 528, 600)
    return [
        Backbone(name="small-cnn", constructor="small_cnn", mode="included", size=160, pretrained=False),
        *_widths("mobilenet", "MobileNet", (0.25, 0.5, 0.75, 1.0), "tf"),
        *_widths("mobilenetv2", "MobileNetV2", (0.35, 0.5, 0.75, 1.0, 1.3, 1.4), "tf"),
        *_widths("mobilenetv3-small", "MobileNetV3Small", (0.75, 1.0), "included"),
        *_widths("mobilenetv3-large", "MobileNetV3Large", (0.75, 1.0), "included"),
        *[one(f"densenet{depth}", f"DenseNet{depth}", "torch") for depth in (121, 169, 201)],
        *[one(f"resnet{depth}", f"ResNet{depth}", "caffe") for depth in (50, 101, 152)],
        *[one(f"resnet{depth}v2", f"ResNet{depth}V2", "tf") for depth in (50, 101, 152)],
        one("inceptionv3", "InceptionV3", "tf", 299, 75),
        one("inceptionresnetv2", "InceptionResNetV2", "tf", 299, 75),
        one("xception", "Xception", "tf", 299, 71),
        one("vgg16", "VGG16", "caffe"),
        one("vgg19", "VGG19", "caffe"),
        *[one(f"efficientnetb{n}", f"EfficientNetB{n}", "included", size) for n, size in enumerate(b_sizes)],
        *[one(f"efficientnetv2-b{n}", f"EfficientNetV2B{n}", "included", b_sizes[n]) for n in range(4)],
        one("efficientnetv2-s", "EfficientNetV2S", "included", 384),
        one("efficientnetv2-m", "EfficientNetV2M", "included", 480),
        one("efficientnetv2-l", "EfficientNetV2L", "included", 480),
        *[
            one(f"convnext-{size.lower()}", f"ConvNeXt{size}", "included")
            for size in ("Tiny", "Small", "Base", "Large", "XLarge")
        ],
        one("nasnet-mobile", "NASNetMobile", "tf"),
        one("nasnet-large", "NASNetLarge", "tf", 331),
    ]


BACKBONES: dict[str, Backbone] = {backbone.name: backbone for backbone in _table()}
