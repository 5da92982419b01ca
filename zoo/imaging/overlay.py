"""A map laid over its picture. It shows where the model looked; it is not an outline of anything."""

from __future__ import annotations

import io

import numpy as np
import numpy.typing as npt
from PIL import Image as Pillow
from PIL import ImageDraw, ImageFont

from zoo.imaging.image import Pixels

FloatArray = npt.NDArray[np.float32]

# Matplotlib's inferno at nine even steps: even in lightness, and readable without red-green vision
# (Smith and van der Walt 2015, https://bids.github.io/colormap).
INFERNO = np.array(
    [
        *[(0, 0, 4), (31, 12, 72), (85, 15, 109), (136, 34, 106), (186, 54, 85)],
        *[(227, 89, 51), (249, 140, 10), (249, 201, 50), (252, 255, 164)],
    ],
    np.float32,
)


def heatmap(evidence: npt.NDArray[np.floating]) -> tuple[FloatArray, float]:
    """What speaks for a label, without what speaks against it.

    Args:
        evidence: [rows, columns], signed.

    Returns:
        The positive part divided by its maximum, float32 [rows, columns] in [0, 1], and that maximum
        (0.0 and all zeros where nothing speaks for the label). Maps of different pictures compare in
        shape, not in strength: show the strength beside them.
    """
    positive: FloatArray = np.maximum(evidence, 0).astype(np.float32)
    strength = float(positive.max())
    return np.divide(positive, strength or 1.0, dtype=np.float32), strength


def colours(heat: npt.NDArray[np.floating]) -> Pixels:
    """Inferno colours, uint8 [..., 3], for values in [0, 1]."""
    steps = np.linspace(0, 1, len(INFERNO))
    channels = [np.interp(heat, steps, INFERNO[:, channel]) for channel in range(3)]
    return np.rint(np.stack(channels, axis=-1)).astype(np.uint8)


def enlarge(heat: FloatArray, width: int, height: int) -> FloatArray:
    """A map at the size of its picture, bilinear; float32 [height, width] in [0, 1]."""
    picture = Pillow.fromarray(np.ascontiguousarray(heat, np.float32))
    return np.clip(np.asarray(picture.resize((width, height), Pillow.Resampling.BILINEAR)), 0, 1)


def overlay(pixels: Pixels, heat: FloatArray, *, opacity: float = 0.5) -> Pixels:
    """A heat map over its picture, the hotter the more opaque.

    Args:
        pixels: uint8 [height, width] or [height, width, 3].
        heat: float32 [rows, columns] in [0, 1], covering the whole picture.
        opacity: of the hottest place, in [0, 1]; 0 gives the picture back.

    Returns:
        RGB uint8 [height, width, 3].
    """
    base = np.repeat(pixels[..., None], 3, axis=-1) if pixels.ndim == 2 else pixels
    hot = enlarge(heat, base.shape[1], base.shape[0])
    alpha = (opacity * hot)[..., None]
    return np.rint(base * (1 - alpha) + colours(hot) * alpha).astype(np.uint8)


def captioned(pixels: Pixels, lines: list[str]) -> Pixels:
    """Yellow on black in the upper left corner, 2.2 % of the picture's width high and never wider than it."""
    drawing = Pillow.fromarray(pixels)
    pen = ImageDraw.Draw(drawing)
    size = max(6.0, 0.022 * drawing.width)
    longest = max(ImageFont.load_default(size).getlength(line) for line in lines)
    font = ImageFont.load_default(max(5.0, size * min(1.0, 0.96 * drawing.width / longest)))
    text = "\n".join(lines)
    box = pen.multiline_textbbox((0.01 * drawing.width, 0.01 * drawing.width), text, font=font)
    pen.rectangle((0, 0, box[2] + box[0], box[3] + box[0]), fill=(0, 0, 0))
    pen.multiline_text((0.01 * drawing.width, 0.01 * drawing.width), text, font=font, fill=(255, 224, 102))
    return np.asarray(drawing)


def encode_png(pixels: Pixels) -> bytes:
    """uint8 [height, width] or [height, width, 3] as a PNG file."""
    buffer = io.BytesIO()
    Pillow.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()
