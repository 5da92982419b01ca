"""A picture the model was not made for is refused with a reason, and any other is let through."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from zoo import errors
from zoo.cards import InputSpec
from zoo.errors import Reason
from zoo.imaging.appearance import appearance
from zoo.imaging.gate import check, check_embedding, check_pixels, graver
from zoo.imaging.image import Image
from zoo.reference import Gate, Limits, Reference
from zoo.results import Measure

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


@pytest.mark.parametrize("said", ["ANKLE", "Ankle left", "KNEE"])
def test_another_part_of_the_body_is_refused_by_its_name(said):
    chest = CHEST.model_copy(update={"body_parts": ("CHEST",)})
    with pytest.raises(
        errors.ImageRefused, match=r"Body Part Examined is (ANKLE|KNEE); this model reads CHEST"
    ) as caught:
        check(replace(image(), body_part=said), chest)
    assert caught.value.reason is Reason.WRONG_BODY_PART


@pytest.mark.parametrize("said", ["", "CHEST", "Thorax", "CHEST PA", "DOE^JANE", "PORTABLE"])
def test_a_body_part_that_may_be_the_chest_is_let_through(said):
    check(replace(image(), body_part=said), CHEST.model_copy(update={"body_parts": ("CHEST",)}))


@pytest.mark.parametrize(("said", "named"), [("LL", "LL"), ("Lateral", "LL"), ("RL", "RL")])
def test_a_lateral_is_refused_by_a_frontal_model(said, named):
    with pytest.raises(errors.ImageRefused, match=rf"View Position is {named}; this model reads PA, AP") as caught:
        check(replace(image(), view=said), CHEST.model_copy(update={"views": ("PA", "AP")}))
    assert caught.value.reason is Reason.WRONG_VIEW


@pytest.mark.parametrize("said", ["", "PA", "AP", "whatever"])
def test_a_view_that_may_be_frontal_is_let_through(said):
    check(replace(image(), view=said), CHEST.model_copy(update={"views": ("PA", "AP")}))


def saturated(white: float, black: float) -> np.ndarray:
    """Noise with a share of its rows white and another black."""
    pixels = NOISE.clip(1, 254).copy()
    pixels[: int(white * 200)] = 255
    pixels[200 - int(black * 200) :] = 0
    return pixels


@pytest.mark.parametrize(("white", "black"), [(0.6, 0.0), (0.49, 0.5)])
def test_a_saturated_picture_is_refused(white, black):
    with pytest.raises(errors.ImageRefused, match=r"saturated: \d+% of it is pure white") as caught:
        check(image(saturated(white, black)), CHEST)
    assert caught.value.reason is Reason.SATURATED


def test_a_slice_with_much_air_around_it_is_let_through():
    check(image(saturated(0.03, 0.7)), CHEST)


def test_a_picture_of_two_shades_by_its_file_is_refused():
    with pytest.raises(errors.ImageRefused, match=r"1 bits per sample") as caught:
        check(replace(image(), bits=1), CHEST)
    assert caught.value.reason is Reason.TOO_FEW_BITS


def test_the_shape_is_of_the_picture_as_shown_not_of_its_pixels():
    narrow = NOISE[:, :60]  # 0.3 times as wide as high, but pixels are half as high as wide
    with pytest.raises(errors.ImageRefused):
        check(image(narrow), CHEST)
    check(replace(image(narrow), pixel_aspect=0.5), CHEST)


def limits(refusal: float, caution: float | None = None) -> Limits:
    share = None if caution is None else 0.05
    return Limits(refusal=refusal, refusal_share=0.01, caution=caution, caution_share=share, patients=99, images=99)


def reference(refusal: float | None = None, caution: float | None = None) -> Reference:
    return Reference(
        mean=(1.0, 2.0, 3.0),
        standard_deviation=(1.0, 2.0, 1.0),
        images=100,
        directions=((0.6, 0.8, 0.0),),
        variances=(4.0,),
        rest=0.5,
        limits=None if refusal is None else limits(refusal, caution),
    )


FAR = np.array([4.0, 2.0, 4.0])


def test_the_distance_worked_out_by_hand():
    # (4, 2, 4) stands 3, 0 and 1 standard deviations off. Along (0.6, 0.8, 0): 1.8; its square over 4 is 0.81.
    # Beside it: 9 + 0 + 1 - 3.24 = 6.76; over 0.5 that is 13.52. The root of (0.81 + 13.52) / 3 is 2.18556.
    assert reference().distance(FAR[None])[0] == pytest.approx(2.18556, abs=1e-5)


def test_an_image_within_the_first_limit_is_answered_without_a_caution():
    assert check_embedding(FAR, Gate(embedding=reference(3.0, 2.2))) is None


def test_an_image_between_the_limits_is_answered_with_a_caution_that_says_how_unusual_it_is():
    caution = check_embedding(FAR, Gate(embedding=reference(4.0, 2.0)))
    assert caution is not None
    assert caution.measure is Measure.EMBEDDING
    assert caution.ratio == pytest.approx(2.18556 / 2, abs=1e-5)
    assert caution.refusal_ratio == pytest.approx(2.0)
    assert caution.share == 0.05
    assert "Unusual for this model" in caution.message
    assert "1.09 times as far from the training images as 95%" in caution.message
    assert "from 2.00 times it would be refused" in caution.message


def test_an_image_beyond_the_second_limit_is_refused_and_no_probability_is_said():
    with pytest.raises(errors.ImageRefused, match=r"unlike the 100 images .* 1\.09 times the distance") as caught:
        check_embedding(FAR, Gate(embedding=reference(2.0, 1.0)))
    assert caught.value.reason is Reason.OUT_OF_DISTRIBUTION
    assert "probability" not in str(caught.value)


def test_a_little_beyond_the_limit_is_called_so():
    with pytest.raises(errors.ImageRefused, match="features of it: just beyond the limit"):
        check_embedding(FAR, Gate(embedding=reference(2.18, 1.0)))


@pytest.mark.parametrize("odd", [np.nan, np.inf, 1e300])
@pytest.mark.parametrize("known", [limits(2.0), limits(2.0, 1.0).model_copy(update={"refusal": None})])
def test_features_that_are_not_finite_are_refused(known, odd):
    embedding = reference().model_copy(update={"limits": known})
    with pytest.raises(errors.ImageRefused):
        check_embedding(np.array([odd, 2.0, 3.0]), Gate(embedding=embedding))


def test_without_a_second_limit_the_farthest_image_is_cautioned_and_not_refused():
    known = limits(2.0, 1.0).model_copy(update={"refusal": None})
    caution = check_embedding(100 * FAR, Gate(embedding=reference().model_copy(update={"limits": known})))
    assert caution.ratio > 100
    assert caution.refusal_ratio is None
    assert "refused" not in caution.message


def test_a_card_without_limits_lets_every_image_through():
    for old in (None, Gate(), Gate(embedding=reference())):
        assert check_embedding(np.array([1e9, 0.0, 0.0]), old) is None
        assert check_pixels(np.zeros((32, 32, 1), np.uint8), old) is None


def test_of_two_cautions_the_one_nearer_to_a_refusal_counts():
    one = check_embedding(FAR, Gate(embedding=reference(2.3, 2.1)))
    other = check_embedding(FAR, Gate(embedding=reference(9.0, 1.0)))
    assert one is not None
    assert other is not None
    assert other.ratio > one.ratio  # but it lies further from its second limit
    assert graver(None, other, one) is one
    assert graver(None, None) is None


RAMP = np.repeat(np.repeat(np.arange(256, dtype=np.uint8).reshape(16, 16), 4, 0), 4, 1)[..., None]


def test_a_negative_of_what_the_model_knows_is_refused_and_the_picture_itself_is_not():
    known = Gate(mean_picture=tuple(range(256)), likeness=0.8)
    assert check_pixels(RAMP, known) is None
    assert check_pixels(np.repeat(RAMP, 3, axis=-1), known) is None
    with pytest.raises(errors.ImageRefused, match=r"is a negative") as caught:
        check_pixels(255 - RAMP, known)
    assert caught.value.reason is Reason.INVERTED
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 1), dtype=np.uint8)
    assert check_pixels(noise, known) is None  # unlike both


COLOURED = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)


@pytest.mark.parametrize(
    ("learnt_from", "pixels", "reason"),
    [
        ("colour", np.repeat(RAMP, 3, axis=-1), Reason.GREY),
        ("grey", COLOURED, Reason.COLOUR),
    ],
)
def test_a_grey_picture_is_refused_by_a_colour_model_and_a_colour_picture_by_a_grey_one(learnt_from, pixels, reason):
    with pytest.raises(errors.ImageRefused) as caught:
        check_pixels(pixels, Gate(colour=learnt_from))
    assert caught.value.reason is reason
    assert check_pixels(pixels, Gate(colour="mixed")) is None


def looks_like(picture: np.ndarray, name: str, refusal: float, caution: float) -> Gate:
    """A gate that knows one picture's texture or layout, each of its numbers give or take 0.1."""
    features = getattr(appearance(picture), name)
    known = Reference(
        mean=tuple(features.tolist()),
        standard_deviation=(0.1,) * len(features),
        images=1,
        limits=limits(refusal, caution),
    )
    return Gate.model_validate({name: known})


@pytest.mark.parametrize("name", ["texture", "layout"])
def test_the_picture_itself_is_compared_too(name):
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 1), dtype=np.uint8)
    assert check_pixels(RAMP, looks_like(RAMP, name, refusal=4, caution=2)) is None
    with pytest.raises(errors.ImageRefused) as caught:
        check_pixels(noise, looks_like(RAMP, name, refusal=4, caution=2))
    assert caught.value.reason is Reason.OUT_OF_DISTRIBUTION
    caution = check_pixels(noise, looks_like(RAMP, name, refusal=1000, caution=2))
    assert caution is not None
    assert caution.measure is Measure[name.upper()]


def test_turned_upside_down_a_picture_keeps_its_texture_and_changes_its_layout():
    assert check_pixels(RAMP[::-1], looks_like(RAMP, "texture", refusal=4, caution=2)) is None
    with pytest.raises(errors.ImageRefused, match="where it is light and dark"):
        check_pixels(np.ascontiguousarray(RAMP[::-1]), looks_like(RAMP, "layout", refusal=4, caution=2))
