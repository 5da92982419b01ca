"""A picture the model was not made for is refused with a reason, and any other is let through."""

from __future__ import annotations

import numpy as np
import pytest

from zoo import errors
from zoo.cards import InputSpec
from zoo.errors import Reason
from zoo.imaging.gate import check
from zoo.imaging.image import Image

CHEST = InputSpec(height=160, width=160, channels=1, modalities=("CR", "DX"))
NOISE = np.random.default_rng(0).integers(0, 256, (200, 200), dtype=np.uint8)


def image(pixels: np.ndarray = NOISE, modality: str = "CR") -> Image:
    return Image(pixels=pixels, format="DICOM", modality=modality)


def test_a_chest_radiograph_is_let_through():
    check(image(), CHEST)


def test_a_png_that_names_no_modality_is_let_through():
    check(Image(pixels=NOISE, format="PNG"), CHEST)


def test_grey_stored_as_rgb_is_let_through():
    check(image(np.repeat(NOISE[..., None], 3, axis=-1)), CHEST)


@pytest.mark.parametrize(
    ("picture", "reason"),
    [
        (image(modality="CT"), Reason.WRONG_MODALITY),
        (image(NOISE[:20]), Reason.TOO_SMALL),
        (image(NOISE[:40]), Reason.WRONG_SHAPE),
        (image(NOISE[:, :40]), Reason.WRONG_SHAPE),
        (image(NOISE // 64 + 100), Reason.BLANK),
        (image(np.random.default_rng(0).integers(0, 256, (99, 99, 3), dtype=np.uint8)), Reason.COLOUR),
    ],
)
def test_what_does_not_fit_is_refused_with_the_reason(picture, reason):
    with pytest.raises(errors.ImageRefused) as caught:
        check(picture, CHEST)
    assert caught.value.reason is reason


def test_a_colour_model_takes_colour():
    check(
        image(np.random.default_rng(0).integers(0, 256, (99, 99, 3), dtype=np.uint8)),
        CHEST.model_copy(update={"channels": 3}),
    )


def test_the_refusal_says_what_was_found_and_what_was_expected():
    with pytest.raises(errors.ImageRefused, match=r"Modality is 'CT'; this model reads CR, DX"):
        check(image(modality="CT"), CHEST)


def test_what_is_no_modality_is_not_quoted():
    with pytest.raises(errors.ImageRefused, match=r"Modality is none of") as caught:
        check(image(modality="DOE^JANE"), CHEST)
    assert "DOE" not in str(caught.value)
