"""The gate's limits turn away what they say they turn away."""

from __future__ import annotations

import numpy as np
import pytest

from training.outputs import Outputs
from training.reference import FALSE_REFUSALS, _beyond, reference

SIZES = {"train": 300, "val": 40, "test": 3000}


def said(embedding: np.ndarray) -> Outputs:
    nothing = np.zeros((len(embedding), 1), np.float32)
    return Outputs(nothing, embedding.astype(np.float32), nothing.reshape(-1, 1, 1, 1))


def cloud(count: int, rng: np.random.Generator) -> np.ndarray:
    """Embeddings [count, 24] that vary mostly along three directions."""
    return rng.normal(size=(count, 3)) @ np.linspace(-2, 2, 72).reshape(3, 24) + rng.normal(size=(count, 24))


def pictures(count: int, rng: np.random.Generator) -> np.ndarray:
    """Ramps under noise, uint8 [count, 32, 32, 1]."""
    ramp = np.linspace(20, 230, 32)[:, None] + rng.normal(0, 12, (count, 32, 32))
    return ramp.clip(0, 255).astype(np.uint8)[..., None]


def test_the_limits_refuse_about_as_many_as_they_say():
    rng = np.random.default_rng(0)
    found = reference(
        {name: said(cloud(count, rng)) for name, count in SIZES.items()},
        {name: pictures(count, rng) for name, count in SIZES.items()},
    )
    assert found.false_refusals == FALSE_REFUSALS
    assert (found.images, found.validation_images, found.test_images) == (300, 40, 3000)
    assert found.test_refused / found.test_images < 0.03
    assert found.distance(9.0 * (-1.0) ** np.arange(24)[None])[0] > 2 * found.limit
    assert found.likeness > 0.5


def test_five_images_are_too_few_to_set_a_limit_by():
    rng = np.random.default_rng(0)
    sizes = SIZES | {"val": 4}
    found = reference(
        {name: said(cloud(count, rng)) for name, count in sizes.items()},
        {name: pictures(count, rng) for name, count in sizes.items()},
    )
    assert found.limit is None
    assert found.likeness is None


def test_the_prediction_limit_worked_out_by_hand():
    # Of -1, 0, 1 the mean is 0, s is 1; t of 2 degrees of freedom at 99 % is 6.9646, times the root of 4/3: 8.0420.
    assert _beyond(np.array([-1.0, 0.0, 1.0])) == pytest.approx(8.0420, abs=1e-3)


def test_a_fresh_image_exceeds_the_limit_of_a_few_as_often_as_said():
    rng = np.random.default_rng(1)
    draws = rng.normal(size=(4000, 9))
    beyond = [draw[8] > _beyond(draw[:8]) for draw in draws]
    assert np.mean(beyond) == pytest.approx(FALSE_REFUSALS, abs=0.006)


def test_units_that_never_fired_are_no_yardstick():
    rng = np.random.default_rng(0)
    embeddings = {name: np.pad(cloud(count, rng), ((0, 0), (0, 4))) for name, count in SIZES.items()}
    found = reference(
        {name: said(values) for name, values in embeddings.items()},
        {name: pictures(count, rng) for name, count in SIZES.items()},
    )
    assert found.test_refused / found.test_images < 0.03
    odd = embeddings["test"][:1].copy()
    odd[0, -1] = 50.0
    assert np.isfinite(found.distance(odd)[0])
    assert found.distance(odd)[0] > found.limit
