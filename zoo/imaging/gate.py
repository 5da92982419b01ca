"""Is this an image for this model? If not, it is refused with a reason, and no number is made of it.

Three looks, each by more than the one before: `check` at what the file says and shows, `check_pixels` at the picture as
the model takes it, `check_embedding` at where the model's own features place it among the training images.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from zoo import errors
from zoo.cards import InputSpec
from zoo.errors import Reason
from zoo.imaging import terms
from zoo.imaging.image import Image, Pixels
from zoo.reference import ReferenceEmbedding

MIN_SIDE = 32
MIN_BITS = 8
COLOUR_DIFFERENCE = 24
COLOUR_SHARE = 0.05
WHITE_SHARE = 0.5
EXTREME_SHARE = 0.98
MIN_RANGE = 8
MIN_LIKENESS = 0.3  # an average picture that pictures hardly resemble says nothing of which way round the greys are


def check(image: Image, spec: InputSpec) -> None:
    """Lets a picture through, or says why not, by its file and its pixels.

    Args:
        image: as read.
        spec: what the model takes.

    Raises:
        ImageRefused: wrong modality, body part or view, too few bits, too small, too long or wide, blank, saturated,
            or in colour where the model reads grey. What a file does not say is not held against it.
    """
    _check_modality(image, spec)
    _check_anatomy(image, spec)
    _check_shape(image, spec)
    if _range(_thinned(image.pixels)) < MIN_RANGE and _range(image.pixels) < MIN_RANGE:
        raise errors.ImageRefused(
            f"The picture is blank: all its pixels lie between {image.pixels.min()} and {image.pixels.max()} of 255. "
            "Check the window and the exposure.",
            Reason.BLANK,
        )
    if spec.channels == 1:
        _check_greys(image.pixels)


def check_pixels(pixels: Pixels, reference: ReferenceEmbedding | None) -> None:
    """The same by the picture as the model takes it.

    Args:
        pixels: uint8 [H, W, C], preprocessed.
        reference: the card's; None, or one of an older card, lets everything through.

    Raises:
        ImageRefused: its negative resembles the training images, and the picture itself does not.
    """
    if reference is None or reference.likeness is None or reference.likeness < MIN_LIKENESS:
        return
    alike = reference.resemblance(pixels)
    if alike < reference.likeness <= -alike:
        raise errors.ImageRefused(
            "The picture is a negative: with black and white exchanged it would resemble the images that the model "
            "learnt from, as it is it does not. Check its Photometric Interpretation, or send the original.",
            Reason.INVERTED,
        )


def check_embedding(embedding: npt.NDArray[np.floating], reference: ReferenceEmbedding | None) -> None:
    """The same by where the model's features place the picture.

    Args:
        embedding: [K], the pooled features.
        reference: the card's; None, or one of an older card, lets everything through.

    Raises:
        ImageRefused: it lies farther from the training images than the card's limit.
    """
    if reference is None or reference.limit is None or inside(embedding[None], reference)[0]:
        return
    times, share = float(reference.distance(embedding[None])[0]) / reference.limit, 1 - (reference.false_refusals or 0)
    raise errors.ImageRefused(
        f"The picture is unlike the {reference.images} images that this model learnt from: it lies at {times:.3g} "
        f"times the distance within which {share:.0%} of their like lie. Check that it is of the kind that the model's "
        "question names; do not rely on this model for it.",
        Reason.OUT_OF_DISTRIBUTION,
    )


def inside(embedding: npt.NDArray[np.floating], reference: ReferenceEmbedding | None) -> npt.NDArray[np.bool_]:
    """Which of [N, K] pooled features lie within the card's limit, [N]; one that is no number lies outside."""
    if reference is None or reference.limit is None:
        return np.ones(len(embedding), bool)
    return np.asarray(reference.distance(embedding) <= reference.limit)


def _check_modality(image: Image, spec: InputSpec) -> None:
    if image.modality and spec.modalities and image.modality not in spec.modalities:
        found = repr(image.modality) if image.modality in terms.MODALITIES else "none of the common ones"
        raise errors.ImageRefused(
            f"(0008,0060) Modality is {found}; this model reads {', '.join(spec.modalities)}. "
            "Choose a model for this modality.",
            Reason.WRONG_MODALITY,
        )


def _check_anatomy(image: Image, spec: InputSpec) -> None:
    """Body part and view, where the file names another by a word of the standard; a word of its own proves nothing."""
    part = terms.body_part(image.body_part)
    if part and spec.body_parts and part not in spec.body_parts:
        raise errors.ImageRefused(
            f"(0018,0015) Body Part Examined is {part}; this model reads {', '.join(spec.body_parts)}. "
            "Choose a model for this part of the body.",
            Reason.WRONG_BODY_PART,
        )
    view = terms.view(image.view)
    if view and spec.views and view not in spec.views:
        raise errors.ImageRefused(
            f"(0018,5101) View Position is {view}; this model reads {', '.join(spec.views)}. "
            "Send that view, or choose another model.",
            Reason.WRONG_VIEW,
        )


def _check_shape(image: Image, spec: InputSpec) -> None:
    if image.bits < MIN_BITS:
        raise errors.ImageRefused(
            f"The picture has {image.bits} bits per sample; {MIN_BITS} or more are needed for shades of grey. "
            "Send the original, not a drawing or a mask.",
            Reason.TOO_FEW_BITS,
        )
    if min(image.width, image.height) < MIN_SIDE:
        raise errors.ImageRefused(
            f"The picture has {image.width} x {image.height} pixels; the shorter side must have {MIN_SIDE} or more. "
            "Send the original, not a thumbnail.",
            Reason.TOO_SMALL,
        )
    low, high = spec.aspect_ratio
    ratio = image.width / (image.height * image.pixel_aspect)
    if not low <= ratio <= high:
        raise errors.ImageRefused(
            f"The picture is {ratio:.2f} times as wide as high; this model reads {low:g} to {high:g}. "
            "Is it a strip, or several pictures side by side?",
            Reason.WRONG_SHAPE,
        )


def _check_greys(pixels: Pixels) -> None:
    """For a model that reads grey pictures."""
    if (share := _coloured(pixels)) > COLOUR_SHARE:
        raise errors.ImageRefused(
            f"{share:.0%} of the picture is in colour; this model reads grey pictures. Is it a photograph?",
            Reason.COLOUR,
        )
    thinned = _thinned(pixels)
    white = np.count_nonzero(thinned == 255) / thinned.size
    extreme = white + np.count_nonzero(thinned == 0) / thinned.size
    if white > WHITE_SHARE or extreme > EXTREME_SHARE:
        raise errors.ImageRefused(
            f"The picture is saturated: {white:.0%} of it is pure white and {extreme - white:.0%} pure black. "
            "Check the window and the exposure.",
            Reason.SATURATED,
        )


def _range(pixels: Pixels) -> int:
    return int(pixels.max()) - int(pixels.min())


def _thinned(pixels: Pixels) -> Pixels:
    """About 256 x 256 of the pixels."""
    return np.ascontiguousarray(pixels[:: max(1, pixels.shape[0] // 256), :: max(1, pixels.shape[1] // 256)])


def _coloured(pixels: Pixels) -> float:
    """The share of pixels whose channels differ visibly; 0 for a grey picture stored as RGB."""
    if pixels.ndim == 2:
        return 0.0
    thinned = _thinned(pixels).astype(np.int16)
    spread = thinned.max(axis=-1) - thinned.min(axis=-1)
    return float((spread > COLOUR_DIFFERENCE).mean())
