"""The only place where pixels are resized: training, serving and the tests all come through here."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from PIL import Image as Pillow

from zoo.cards import InputSpec
from zoo.imaging.image import Image, Pixels


def preprocess(image: Image, spec: InputSpec) -> Pixels:
    """A picture as the model's `image` input takes it.

    Colour becomes grey by ITU-R BT.601 luma (0.299 R + 0.587 G + 0.114 B); then the whole picture is stretched to
    the input size by bilinear interpolation with antialiasing; then grey becomes RGB by repetition, last because a
    third of the work gives the same pixels.

    Args:
        image: of any size.
        spec: the card's.

    Returns:
        uint8 [spec.height, spec.width, spec.channels], 0 black.
    """
    picture = Pillow.fromarray(image.pixels)
    if spec.channels == 1 and picture.mode != "L":
        picture = picture.convert("L")
    resized = picture.resize((spec.width, spec.height), Pillow.Resampling.BILINEAR)
    return np.asarray(resized.convert("L" if spec.channels == 1 else "RGB")).reshape(
        spec.height, spec.width, spec.channels
    )


def resize_mask(mask: npt.NDArray[np.generic], spec: InputSpec) -> npt.NDArray[np.bool_]:
    """A lesion mask in the frame of the model's input.

    Args:
        mask: [height, width] of the source picture; nonzero is lesion.
        spec: the card's.

    Returns:
        bool [spec.height, spec.width]; a pixel belongs to the lesion if at least half of it does,
        and a lesion smaller than a pixel keeps its largest part.
    """
    drawn = Pillow.fromarray(np.where(np.asarray(mask) > 0, 255, 0).astype(np.uint8))
    share = np.asarray(drawn.resize((spec.width, spec.height), Pillow.Resampling.BOX))
    inside = share >= 128
    return inside if inside.any() or not share.any() else share == share.max()
