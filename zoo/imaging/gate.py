"""Is this an image for this model? If not, it is refused with a reason, and no number is made of it."""

from __future__ import annotations

import numpy as np

from zoo import errors
from zoo.cards import InputSpec
from zoo.errors import Reason
from zoo.imaging.image import Image, Pixels

MIN_SIDE = 32
COLOUR_DIFFERENCE = 24
COLOUR_SHARE = 0.05

# The common terms of Modality (PS3.3 C.7.3.1.1.1). Anything else is not quoted: it could be a patient's name.
RADIOLOGY = ("CR", "CT", "DX", "IO", "MG", "MR", "NM", "PT", "PX", "RF", "US", "XA")
OTHER = ("ECG", "ES", "GM", "OCT", "OP", "OT", "SC", "SM", "SR", "XC")


def check(image: Image, spec: InputSpec) -> None:
    """Lets a picture through, or says why not.

    Args:
        image: as read.
        spec: what the model takes.

    Raises:
        ImageRefused: wrong modality, too small, too long or wide, blank, or in colour where the model reads grey.
    """
    _check_modality(image, spec)
    _check_shape(image, spec)
    if int(image.pixels.max()) - int(image.pixels.min()) < 8:
        raise errors.ImageRefused(
            f"The picture is blank: all its pixels lie between {image.pixels.min()} and {image.pixels.max()} of 255. "
            "Check the window and the exposure.",
            Reason.BLANK,
        )
    if spec.channels == 1 and (share := _coloured(image.pixels)) > COLOUR_SHARE:
        raise errors.ImageRefused(
            f"{share:.0%} of the picture is in colour; this model reads grey pictures. Is it a photograph?",
            Reason.COLOUR,
        )


def _check_modality(image: Image, spec: InputSpec) -> None:
    if image.modality and spec.modalities and image.modality not in spec.modalities:
        found = repr(image.modality) if image.modality in RADIOLOGY + OTHER else "none of the common ones"
        raise errors.ImageRefused(
            f"(0008,0060) Modality is {found}; this model reads {', '.join(spec.modalities)}. "
            "Choose a model for this modality.",
            Reason.WRONG_MODALITY,
        )


def _check_shape(image: Image, spec: InputSpec) -> None:
    if min(image.width, image.height) < MIN_SIDE:
        raise errors.ImageRefused(
            f"The picture has {image.width} x {image.height} pixels; the shorter side must have {MIN_SIDE} or more. "
            "Send the original, not a thumbnail.",
            Reason.TOO_SMALL,
        )
    low, high = spec.aspect_ratio
    ratio = image.width / image.height
    if not low <= ratio <= high:
        raise errors.ImageRefused(
            f"The picture is {ratio:.2f} times as wide as high; this model reads {low:g} to {high:g}. "
            "Is it a strip, or several pictures side by side?",
            Reason.WRONG_SHAPE,
        )


def _coloured(pixels: Pixels) -> float:
    """The share of pixels whose channels differ visibly; 0 for a grey picture stored as RGB."""
    if pixels.ndim == 2:
        return 0.0
    thinned = pixels[:: max(1, pixels.shape[0] // 256), :: max(1, pixels.shape[1] // 256)].astype(np.int16)
    spread = thinned.max(axis=-1) - thinned.min(axis=-1)
    return float((spread > COLOUR_DIFFERENCE).mean())
