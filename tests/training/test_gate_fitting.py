"""The gate keeps what it promises, says what it can promise, and tells strangers from the training images."""

from __future__ import annotations

import json
from functools import cache

import numpy as np
import pytest

from training.gate_fitting import cautions, fit_gate
from training.outputs import Outputs
from training.reference import CAUTIONS, LEAST, REFUSALS, statistics
from zoo.cards import ModelCard
from zoo.errors import BadBundle, BadRun
from zoo.imaging import gate
from zoo.reference import Gate

SIZES = {"train": 220, "val": 120, "test": 600}


def said(embedding: np.ndarray) -> Outputs:
    nothing = np.zeros((len(embedding), 1), np.float32)
    return Outputs(nothing, embedding.astype(np.float32), nothing.reshape(-1, 1, 1, 1))


def cloud(count: int, rng: np.random.Generator) -> np.ndarray:
    """Embeddings [count, 24] that vary mostly along three directions."""
    return rng.normal(size=(count, 3)) @ np.linspace(-2, 2, 72).reshape(3, 24) + rng.normal(size=(count, 24))


def pictures(count: int, rng: np.random.Generator, channels: int = 1) -> np.ndarray:
    """Ramps of various steepness under grain of various strength, uint8 [count, 32, 32, channels]."""
    steepness, grain = rng.uniform(0.7, 1.3, (count, 1, 1)), rng.uniform(4, 12, (count, 1, 1))
    ramp = 128 + steepness * np.linspace(-90, 90, 32)[:, None] + grain * rng.normal(size=(count, 32, 32))
    return np.repeat(ramp.clip(0, 255).astype(np.uint8)[..., None], channels, axis=-1)


@cache
def usual() -> Gate:
    return fitted()


def fitted(sizes: dict[str, int] = SIZES, seed: int = 0, each: int = 1, pixels: dict[str, np.ndarray] | None = None):
    """A gate, every patient with `each` images."""
    rng = np.random.default_rng(seed)
    embeddings = {name: said(cloud(count, rng)) for name, count in sizes.items()}
    pixels = pixels or {name: pictures(count, rng) for name, count in sizes.items()}
    patients = {name: [f"{name}-{row // each}" for row in range(count)] for name, count in sizes.items()}
    return fit_gate(embeddings, pixels, patients)


def test_no_more_of_the_test_split_is_refused_or_cautioned_than_promised():
    found = usual()
    assert found.tested.images == found.tested.patients == 600
    assert found.refusal_share == pytest.approx(REFUSALS)
    assert found.caution_share == pytest.approx(CAUTIONS)
    # Three standard deviations of the share of 600 images.
    assert found.tested.refused / 600 <= found.refusal_share + 3 * np.sqrt(found.refusal_share / 600)
    assert (found.tested.refused + found.tested.cautioned) / 600 <= found.caution_share + 3 * 0.009
    assert found.tested.cautioned > 0


def test_the_limits_on_the_picture_are_cross_fitted_where_validation_is_small():
    small, large = usual(), fitted(SIZES | {"val": 400, "test": 10})
    assert small.texture.limits.cross_fitted
    assert small.texture.limits.patients == 340
    assert small.texture.limits.refusal_share == pytest.approx(REFUSALS / 2)
    assert not large.texture.limits.cross_fitted
    assert large.texture.limits.patients == 400
    assert not small.embedding.limits.cross_fitted
    assert small.embedding.limits.patients == 120


def test_patients_are_counted_and_not_their_images():
    found = fitted(SIZES | {"test": 10}, each=4)
    assert (found.embedding.limits.patients, found.embedding.limits.images) == (30, 120)
    assert found.embedding.limits.caution_share == pytest.approx(1 / 31)
    assert (found.texture.limits.patients, found.texture.limits.images) == (85, 340)
    assert found.refusal_share == pytest.approx(2 / 86)
    assert any("rest on 85 patients" in caution for caution in cautions(found))


def test_strangers_are_refused_by_texture_and_layout_and_cautioned_by_features():
    found = usual()
    rng = np.random.default_rng(9)
    known = pictures(1, rng)[0]
    assert gate.check_pixels(known, found) is None
    for stranger in (rng.integers(0, 256, known.shape, dtype=np.uint8), np.ascontiguousarray(known.swapaxes(0, 1))):
        with pytest.raises(gate.errors.ImageRefused):
            gate.check_pixels(stranger, found)
    caution = gate.check_embedding(9.0 * (-1.0) ** np.arange(24), found)
    assert caution.ratio > 1
    assert caution.refusal_ratio is None


def test_a_negative_is_refused_as_one():
    with pytest.raises(gate.errors.ImageRefused, match="negative"):
        gate.check_pixels(255 - pictures(1, np.random.default_rng(9))[0], usual())


def coloured(count: int, rng: np.random.Generator) -> np.ndarray:
    return (pictures(count, rng, channels=3) * np.array([1.0, 0.6, 0.5])).astype(np.uint8)


@pytest.mark.parametrize(("draw", "kind"), [(coloured, "colour"), (pictures, "grey")])
def test_what_all_training_pictures_share_is_asked_of_every_picture(draw, kind):
    rng = np.random.default_rng(0)
    sizes = SIZES | {"test": 20}
    drawn = {name: draw(count, rng) for name, count in sizes.items()}
    if kind == "grey":
        drawn = {name: np.repeat(pixels, 3, axis=-1) for name, pixels in drawn.items()}
    found = fitted(sizes, pixels=drawn)
    assert found.colour == kind
    other = pictures(1, rng, channels=3)[0] if kind == "colour" else coloured(1, rng)[0]
    with pytest.raises(gate.errors.ImageRefused, match="grey" if kind == "colour" else "in colour"):
        gate.check_pixels(other, found)


def test_pictures_of_both_kinds_leave_the_colour_open():
    rng = np.random.default_rng(0)
    sizes = SIZES | {"test": 20}
    drawn = {name: coloured(count, rng) for name, count in sizes.items()}
    drawn["train"][0] = pictures(1, rng, channels=3)[0]
    assert fitted(sizes, pixels=drawn).colour == "mixed"


def test_few_images_set_no_limit():
    found = fitted({"train": 10, "val": 4, "test": 3})
    assert found.limits == ()
    assert found.refusal_share is None
    assert found.tested.refused == 0
    assert list(cautions(found)) == []


def test_a_test_split_that_shows_more_than_was_promised_earns_a_caution():
    found = usual()
    worse, better = (
        found.model_copy(update={"tested": found.tested.model_copy(update={"refused": count, "cautioned": 0})})
        for count in (120, 3)
    )
    assert any(
        "refuses 120 of 600 test images of 600 patients or groups (20.0%" in caution for caution in cautions(worse)
    )
    assert not any("test images" in caution for caution in cautions(better))


def test_units_that_never_fired_are_no_yardstick():
    rng = np.random.default_rng(0)
    embeddings = {name: said(np.pad(cloud(count, rng), ((0, 0), (0, 4)))) for name, count in SIZES.items()}
    pixels = {name: pictures(count, rng) for name, count in SIZES.items()}
    patients = {name: [f"{name}-{row}" for row in range(count)] for name, count in SIZES.items()}
    found = fit_gate(embeddings, pixels, patients)
    odd = embeddings["test"].embedding[0].copy()
    odd[-1] = 50.0
    assert np.isfinite(found.embedding.distance(odd[None])[0])
    assert gate.check_embedding(odd, found).ratio > 1


def test_a_tolerance_widens_every_direction_worked_out_by_hand():
    # (-1, 0) and (1, 0): variances 1 and 0; with a tolerance of 0.5 they are 1.25 and 0.25. (1, 0.5) then lies at
    # sqrt((1 / 1.25 + 0.25 / 0.25) / 2) = 0.94868.
    found = statistics(np.array([[-1.0, 0.0], [1.0, 0.0]] * 10), 1, tolerance=0.5)
    assert found.distance(np.array([[1.0, 0.5]]))[0] == pytest.approx(0.94868, abs=1e-5)


OLD = {
    "mean": [0.0, 1.0],
    "standard_deviation": [1.0, 1.0],
    "images": 300,
    "directions": [[1.0, 0.0]],
    "variances": [1.5],
    "rest": 0.5,
    "limit": 2.5,
    "mean_picture": [7] * 256,
    "likeness": 0.6,
    "false_refusals": 0.01,
    "validation_images": 73,
    "test_images": 146,
    "test_refused": 5,
}


def test_the_card_of_an_older_bundle_refuses_as_it_did_and_cautions_nothing():
    from tests.dashboard.canned import card

    written = card().model_dump(mode="json", exclude={"gate"})
    found = ModelCard.model_validate(written | {"reference_embedding": OLD}).gate
    assert found.embedding.limits.refusal == 2.5
    assert found.caution_share is None
    assert (found.likeness, found.tested.refused) == (0.6, 5)
    assert gate.check_embedding(np.array([0.0, 1.0]), found) is None
    with pytest.raises(gate.errors.ImageRefused):
        gate.check_embedding(np.array([9.0, 9.0]), found)


def test_the_card_of_a_bundle_without_limits_is_still_read():
    from tests.dashboard.canned import card

    old = {name: OLD[name] for name in ("mean", "standard_deviation", "images")}
    written = card().model_dump(mode="json", exclude={"gate"})
    found = ModelCard.model_validate(written | {"reference_embedding": old}).gate
    assert found.embedding.images == 300
    assert found.limits == ()


@pytest.mark.parametrize("damaged", [5, [1], {"mean": 3}, {**OLD, "limit": "far"}])
def test_a_damaged_older_card_is_a_bad_bundle(damaged):
    from tests.dashboard.canned import card

    written = card().model_dump(mode="json", exclude={"gate"}) | {"reference_embedding": damaged}
    with pytest.raises(BadBundle, match="not readable"):
        ModelCard.from_json(json.dumps(written))


def test_features_that_never_vary_set_no_limit_and_caution_nothing():
    sizes = {"train": 60, "val": 40, "test": 3}
    rng = np.random.default_rng(0)
    still = {name: said(np.zeros((count, 8))) for name, count in sizes.items()}
    still["test"] = said(np.eye(3, 8))
    patients = {name: [f"{name}-{row}" for row in range(count)] for name, count in sizes.items()}
    found = fit_gate(still, {name: pictures(count, rng) for name, count in sizes.items()}, patients)
    assert found.embedding.limits is None


def test_pictures_that_are_all_the_same_still_set_limits_that_others_can_keep():
    one = pictures(1, np.random.default_rng(0))
    sizes = {"train": 60, "val": 40, "test": 3}
    found = fitted(sizes, pixels={name: np.repeat(one, count, axis=0) for name, count in sizes.items()})
    assert found.texture.limits.caution == LEAST
    lighter = (one[0].astype(int) + 3).clip(0, 255).astype(np.uint8)
    assert gate.check_pixels(lighter, found) is None


def test_features_that_are_not_finite_end_the_evaluation_with_a_message():
    broken = {name: said(np.full((30, 4), np.nan)) for name in SIZES}
    groups = {name: [f"{row}" for row in range(30)] for name in SIZES}
    with pytest.raises(BadRun, match="not finite"):
        fit_gate(broken, {name: pictures(30, np.random.default_rng(0)) for name in SIZES}, groups)
