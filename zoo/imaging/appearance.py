"""How a picture looks, in numbers and without a network: its grey levels, texture and colours, and its layout."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image as Pillow

FloatArray = npt.NDArray[np.float32]
Pixels = npt.NDArray[np.uint8]

SIDE = 128  # of the picture that is looked at, in pixels, or the power of two below the model's own input
CELLS = 8  # a side, of the layout
TOLERANCE = 0.15  # in the numbers' own unit: 15 % more or less detail, 10 grey levels, 15 % of the contrast
_LEAST_SIDE = 4  # of a wavelet's band
_LEAST_DETAIL = 0.5  # grey levels; below it there is no texture, only rounding
_LEAST_SPREAD = 8.0  # grey levels; a flat picture has no layout


class Appearance(NamedTuple):
    """What the gate compares of a picture.

    Attributes:
        texture: quantiles of the greys, energy of the detail per scale and direction, and for RGB mean and spread of
            the chroma; float32 [D], D depends on the size and channels of the picture alone.
        layout: the same, and where it is light and where dark; float32 [D + 64].
    """

    texture: FloatArray
    layout: FloatArray


def appearance(pixels: Pixels) -> Appearance:
    """The appearance of a preprocessed picture.

    The same in training and in serving, on every processor, for it rests on uint8 pixels and a few sums of them.

    Args:
        pixels: uint8 [H, W, C], C 1 or 3, as `zoo.imaging.preprocess` gives them.
    """
    picture = Pillow.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels)
    side = 1 << (min(SIDE, *pixels.shape[:2]).bit_length() - 1)
    greys = np.asarray(picture.convert("L").resize((side, side), Pillow.Resampling.BOX), np.float32)
    quantiles = np.quantile(greys, np.linspace(0, 1, 9)) / 64
    texture = [np.asarray(quantiles, np.float32), *_details(greys)]
    if picture.mode == "RGB":
        texture.append(_chroma(picture))
    flat = np.concatenate(texture)
    return Appearance(flat, np.concatenate([flat, _cells(greys)]))


def _details(greys: FloatArray) -> list[FloatArray]:
    """Log mean, log root mean square and log median of each band of a Haar decomposition, three bands a scale.

    Source: Mallat 1989, https://doi.org/10.1109/34.192463, section IV (texture by the energies of wavelet bands).
    """
    found: list[FloatArray] = []
    while len(greys) >= 2 * _LEAST_SIDE:
        a, b, c, d = greys[::2, ::2], greys[::2, 1::2], greys[1::2, ::2], greys[1::2, 1::2]
        for band in (a + b - c - d, a - b + c - d, a - b - c + d):
            size = np.abs(band) / 4
            energies = np.array([size.mean(), np.sqrt((size**2).mean()), np.median(size)], np.float32)
            found.append(np.log(energies + _LEAST_DETAIL))
        greys = np.asarray((a + b + c + d) / 4, np.float32)
    return found


def _cells(greys: FloatArray) -> FloatArray:
    """Means of 8 x 8 cells, [64], of the picture with its mean taken away and divided by its spread."""
    standard = (greys - greys.mean()) / (greys.std() + _LEAST_SPREAD)
    return np.asarray(Pillow.fromarray(standard).resize((CELLS, CELLS), Pillow.Resampling.BOX)).ravel()


def _chroma(picture: Pillow.Image) -> FloatArray:
    """Mean and spread of Cb and Cr (ITU-R BT.601), in parts of 64; [4]."""
    small = picture.resize((32, 32), Pillow.Resampling.BOX).convert("YCbCr")
    chroma = np.asarray(small, np.float32)[..., 1:].reshape(-1, 2)
    return np.asarray(np.concatenate([chroma.mean(axis=0), chroma.std(axis=0)]) / 64, np.float32)
