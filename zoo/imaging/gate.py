"""Out-of-distribution detection: an image that the model was not made for is refused, an unusual one is cautioned.

Three checks, each with more to go by than the one before: `check` reads what the file says and shows, `check_pixels`
the picture as the model takes it, `check_embedding` where the model's own features place it among the training images.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from zoo import errors
from zoo.cards import InputSpec
from zoo.errors import Reason
from zoo.imaging import terms
from zoo.imaging.appearance import appearance
from zoo.imaging.image import Image, Pixels
from zoo.reference import Gate, Limits, Reference, thumbnail
from zoo.results import Caution, Measure

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


def check_pixels(pixels: Pixels, known: Gate | None) -> Caution | None:
    """The same by the picture as the model takes it.

    Args:
        pixels: uint8 [H, W, C], preprocessed.
        known: the card's; None, or one without limits, lets everything through.

    Returns:
        A caution where the picture is unusual by its texture or its layout; None where it is not.

    Raises:
        ImageRefused: grey where the training images are in colour, or the reverse; the negative of an image of the
            training's kind; or farther from the training images than the second limit.
    """
    if known is None:
        return None
    _check_kind(pixels, known)
    if known.texture is None and known.layout is None:
        return None
    looks = appearance(pixels)
    return graver(
        _judged(looks.texture, known.texture, Measure.TEXTURE),
        _judged(looks.layout, known.layout, Measure.LAYOUT),
    )


def check_embedding(embedding: npt.NDArray[np.floating], known: Gate | None) -> Caution | None:
    """The same by where the model's features place the picture.

    Args:
        embedding: [K], the pooled features.
        known: the card's; None, or one without limits, lets everything through.

    Returns:
        A caution where the features are unusual; None where they are not.

    Raises:
        ImageRefused: they are not finite, or lie beyond the second limit, which the cards of older bundles have.
    """
    return None if known is None else _judged(embedding, known.embedding, Measure.EMBEDDING)


def check_both(pixels: Pixels, embedding: npt.NDArray[np.floating], known: Gate | None) -> Caution | None:
    """`check_pixels`, then `check_embedding`: the graver of their cautions.

    Raises:
        ImageRefused: as either.
    """
    return graver(check_pixels(pixels, known), check_embedding(embedding, known))


def graver(*cautions: Caution | None) -> Caution | None:
    """Of several cautions the one nearest to a refusal; None where there is none."""
    return max(
        (caution for caution in cautions if caution is not None),
        key=lambda caution: caution.ratio / (caution.refusal_ratio or math.inf),
        default=None,
    )


def is_of_other_colour(known: Gate, *, coloured: bool) -> bool:
    """Whether a picture is grey where all training pictures are in colour, or the reverse."""
    return known.colour != "mixed" and coloured != (known.colour == "colour")


def is_negative(greys: npt.NDArray[np.floating], known: Gate) -> bool:
    """Whether a picture's `thumbnail` is unlike the average training picture, and its negative is not."""
    likeness = _likeness(known)
    return likeness is not None and (alike := known.resemblance(greys)) < likeness <= -alike


def _likeness(known: Gate) -> float | None:
    """The card's, where it tells negatives; None where the training pictures hardly resemble their average."""
    likeness = known.likeness
    return likeness if likeness is not None and likeness >= MIN_LIKENESS else None


def is_coloured(pixels: Pixels) -> bool:
    """Whether a visible part of a preprocessed picture, [H, W, C], is in colour."""
    return pixels.shape[-1] == 3 and _coloured(pixels) > COLOUR_SHARE


_OF_ANOTHER_KIND = {
    Reason.GREY: "The picture is grey, and all images that this model learnt from are in colour. Send the picture in "
    "colour, or choose a model for its modality.",
    Reason.COLOUR: "The picture is in colour, and all images that this model learnt from are grey. Is it a photograph, "
    "or a picture of another modality?",
    Reason.INVERTED: "The picture is a negative: with black and white exchanged it would resemble the images that the "
    "model learnt from, as it is it does not. Check its Photometric Interpretation, or send the original.",
}


def _check_kind(pixels: Pixels, known: Gate) -> None:
    reason = None
    if is_of_other_colour(known, coloured=is_coloured(pixels)):
        reason = Reason.GREY if known.colour == "colour" else Reason.COLOUR
    elif _likeness(known) is not None and is_negative(thumbnail(pixels), known):
        reason = Reason.INVERTED
    if reason:
        raise errors.ImageRefused(_OF_ANOTHER_KIND[reason], reason)


_BY = {
    Measure.TEXTURE: "by its grey levels and texture",
    Measure.LAYOUT: "by where it is light and dark",
    Measure.EMBEDDING: "by the model's own features of it",
}


def _judged(features: npt.NDArray[np.floating], known: Reference | None, measure: Measure) -> Caution | None:
    """A refusal beyond the second limit, a caution beyond the first; features that are not finite are refused."""
    if known is None or (limits := known.limits) is None:
        return None
    distance = float(known.distance(features[None])[0]) if np.isfinite(features).all() else math.inf
    farthest = math.inf if limits.refusal is None else limits.refusal
    if not math.isfinite(distance) or distance > farthest:
        raise errors.ImageRefused(
            f"The picture is unlike the {known.images} images that this model learnt from, {_BY[measure]}"
            f"{_beyond(distance, farthest)}. Is it of the kind that the model's question names, whole, without a frame "
            "around it, and exported as the training images were? Send the original, or choose another model.",
            Reason.OUT_OF_DISTRIBUTION,
        )
    if limits.caution is None or limits.caution_share is None or distance <= limits.caution:
        return None
    return _caution(measure, distance / limits.caution, limits, limits.caution, limits.caution_share)


def _beyond(distance: float, farthest: float) -> str:
    if not (math.isfinite(distance) and math.isfinite(farthest)):
        return ""
    ratio = distance / farthest
    return (
        ": just beyond the limit" if ratio < 1.05 else f": {ratio:.2f} times the distance from which images are refused"
    )


def _caution(measure: Measure, ratio: float, limits: Limits, first: float, share: float) -> Caution:
    refusal_ratio = None if limits.refusal is None else limits.refusal / first
    refused = "" if refusal_ratio is None else f"; from {refusal_ratio:.2f} times it would be refused"
    return Caution(
        measure=measure,
        ratio=ratio,
        refusal_ratio=refusal_ratio,
        share=share,
        message=f"Unusual for this model, {_BY[measure]}: {ratio:.2f} times as far from the training images as "
        f"{1 - share:.0%} of images of their kind{refused}. Do not rely on the answer without a look of your own.",
    )


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
