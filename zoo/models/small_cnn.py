"""Our own backbone: a compact residual network that trains from scratch on two CPU cores.

Made for phantoms and tests, at 128 to 192 pixels, grey or colour. Four halvings, each by a 3 x 3 convolution that
reads every pixel (none is skipped, so a spot six pixels wide survives), leave a grid of 8 to 12 cells a side for the
evidence maps to point with. About 172 000 parameters, 80 million operations for a picture of 160 x 160.
"""

from __future__ import annotations

from keras import KerasTensor, layers

STAGES = (24, 48, 96)
STEM = 12
# Pooling divides by the hundred cells of the grid, so a lesion in one of them would need weights that a short training
# cannot reach. Larger features ask for smaller weights.
GAIN = 16.0
BLUR, DETAIL_GAIN = 7, 8.0
# Batch statistics must settle within a few hundred steps: Keras' default momentum of 0.99 would need thousands.
MOMENTUM = 0.9


def small_cnn(pixels: KerasTensor) -> KerasTensor:
    """Builds the network onto `pixels`.

    Blocks follow He et al. 2016, figure 2 and section 3.3 option B (https://arxiv.org/abs/1512.03385).

    Args:
        pixels: float32 [batch, height, width, 1 or 3] in [0, 255].

    Returns:
        float32 [batch, height / 16, width / 16, 96] (rounded up), none of it negative.
    """
    x = layers.Rescaling(1 / 127.5, offset=-1.0, name="preprocess")(pixels)
    x = layers.Concatenate(name="with_detail")([x, _detail(x)])
    x = _convolve(x, STEM, 2, "stem")
    x = layers.ReLU(name="stem_relu")(x)
    for number, maps in enumerate(STAGES, start=1):
        x = _residual(x, maps, f"stage{number}")
    return layers.Rescaling(GAIN, name="gain")(x)


def _detail(x: KerasTensor) -> KerasTensor:
    """What differs from its surroundings, enlarged: lesions are faint beside the step from lung to bone."""
    around = x
    for number in (1, 2):
        around = layers.AveragePooling2D(BLUR, strides=1, padding="same", name=f"around_{number}")(around)
    detail = layers.Subtract(name="detail")([x, around])
    return layers.Rescaling(DETAIL_GAIN, name="detail_gain")(detail)


def _residual(x: KerasTensor, maps: int, name: str) -> KerasTensor:
    shortcut = layers.AveragePooling2D(2, padding="same", name=f"{name}_shortcut_pool")(x)
    shortcut = _convolve(shortcut, maps, 1, f"{name}_shortcut", kernel=1)
    x = _convolve(x, maps, 2, f"{name}_1")
    x = layers.ReLU(name=f"{name}_1_relu")(x)
    x = _convolve(x, maps, 1, f"{name}_2")
    x = layers.Add(name=f"{name}_add")([shortcut, x])
    return layers.ReLU(name=f"{name}_relu")(x)


def _convolve(x: KerasTensor, maps: int, stride: int, name: str, kernel: int = 3) -> KerasTensor:
    x = layers.Conv2D(
        maps,
        kernel,
        strides=stride,
        padding="same",
        use_bias=False,
        kernel_initializer="he_normal",
        name=f"{name}_conv",
    )(x)
    return layers.BatchNormalization(momentum=MOMENTUM, name=f"{name}_bn")(x)
