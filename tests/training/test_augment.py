"""Augmentation: as far as allowed, never further, and the same for the same seed."""

from __future__ import annotations

import numpy as np
import pytest

from training.config import Augment
from zoo import tasks

pytestmark = pytest.mark.slow

STILL = Augment(rotation=0, shift=0, zoom=0, brightness=0, contrast=0, gamma=1, noise=0)


def vary(strength: Augment, pictures: np.ndarray, seed: int = 0, **flips: bool) -> np.ndarray:
    import tensorflow as tf

    from training.augment import Augmenter

    found: np.ndarray = Augmenter(strength, **flips)(tf.constant(pictures, tf.float32), tf.constant([seed, 0])).numpy()
    return found


def ramp(count: int = 64, side: int = 40) -> np.ndarray:
    """Grey rises evenly to the right, from 50 to 200."""
    row = np.linspace(50, 200, side, dtype=np.float32)
    return np.broadcast_to(row, (count, side, side))[..., None].copy()


def still(**changed: float) -> Augment:
    return STILL.model_copy(update=changed)


def test_no_strength_changes_nothing() -> None:
    np.testing.assert_allclose(vary(STILL, ramp(4)), ramp(4), atol=1e-3)


def test_the_same_seed_gives_the_same_pictures_and_another_seed_others() -> None:
    np.testing.assert_array_equal(vary(Augment(), ramp(4), 1), vary(Augment(), ramp(4), 1))
    assert np.abs(vary(Augment(), ramp(4), 1) - vary(Augment(), ramp(4), 2)).max() > 1


def test_each_picture_of_a_batch_is_varied_apart() -> None:
    varied = vary(Augment(noise=0), ramp(4))
    assert min(np.abs(varied[0] - other).mean() for other in varied[1:]) > 0.5


def test_moved_pictures_are_continued_at_their_edge_and_never_filled_with_black() -> None:
    moved = vary(still(rotation=20, shift=0.3, zoom=0.3), ramp())
    assert moved.min() >= 50 - 1e-3
    assert moved.max() <= 200 + 1e-3


def test_a_shift_moves_by_up_to_its_share_of_the_side() -> None:
    # A ramp of 150 over 39 steps: a shift of s pixels changes the middle by 150 / 39 * s; 0.1 of 40 pixels is 4.
    moved = vary(still(shift=0.1), ramp(512))[:, 20, 20, 0] - ramp(1)[0, 20, 20, 0]
    most = 4 * 150 / 39
    assert np.abs(moved).max() <= most + 0.01
    assert np.abs(moved).max() > 0.9 * most
    assert abs(moved.mean()) < 0.2 * most


def test_a_rotation_by_hand() -> None:
    # The middle column of a ramp turned by a rises along y by sin(a) of its slope; the centre stays.
    turned = vary(still(rotation=30), ramp(512, 41))[..., 0]
    np.testing.assert_allclose(turned[:, 20, 20], 125, atol=0.01)
    slope = (turned[:, 25, 20] - turned[:, 15, 20]) / 10 / (150 / 40)
    assert np.abs(slope).max() <= np.sin(np.radians(30)) + 0.01
    assert np.abs(slope).max() > 0.9 * np.sin(np.radians(30))


def test_a_zoom_scales_by_up_to_its_share() -> None:
    # About the centre, so a magnification of z divides the slope by it: 0.2 gives 1 / 1.2 to 1 / 0.8, 5 % off per axis.
    zoomed = vary(still(zoom=0.2), ramp(512, 41))[..., 0]
    np.testing.assert_allclose(zoomed[:, 20, 20], 125, atol=0.01)
    slope = (zoomed[:, 20, 25] - zoomed[:, 20, 15]) / 10 / (150 / 40)
    assert 1 / (1.2 * 1.05) - 0.01 <= slope.min() < 0.88
    assert 1.18 < slope.max() <= 1 / (0.8 * 0.95) + 0.01


@pytest.mark.parametrize(("flips", "axis"), [({"flip_horizontal": True}, 2), ({"flip_vertical": True}, 1)])
def test_pictures_are_mirrored_half_the_time_where_that_is_allowed(flips: dict[str, bool], axis: int) -> None:
    pictures = np.random.default_rng(0).uniform(0, 255, (200, 8, 8, 1)).astype(np.float32)
    varied = vary(STILL, pictures, **flips)
    same = np.isclose(varied, pictures, atol=0.01).all(axis=(1, 2, 3))
    mirrored = np.isclose(varied, np.flip(pictures, axis), atol=0.01).all(axis=(1, 2, 3))
    assert (same ^ mirrored).all()
    assert 70 < mirrored.sum() < 130


def test_chest_radiographs_are_never_mirrored_and_breasts_only_left_to_right() -> None:
    from training.augment import Augmenter

    chest = Augmenter.for_task(STILL, tasks.CHEST_COVID)
    breast = Augmenter.for_task(STILL, tasks.BREAST_ULTRASOUND)
    assert (chest.flip_horizontal, chest.flip_vertical) == (False, False)
    assert (breast.flip_horizontal, breast.flip_vertical) == (True, False)


def test_brightness_contrast_and_gamma_stay_within_their_bounds() -> None:
    grey = np.full((512, 4, 4, 1), 102, np.float32)  # 0.4 of the range
    shifted = vary(still(brightness=0.1), grey)[:, 0, 0, 0] / 255
    assert 0.3 <= shifted.min() < 0.31
    assert 0.49 < shifted.max() <= 0.5
    bent = np.log(vary(still(gamma=1.5), grey)[:, 0, 0, 0] / 255) / np.log(0.4)
    assert 1 / 1.5 - 1e-3 <= bent.min() < 0.7
    assert 1.45 < bent.max() <= 1.5 + 1e-3
    stretched = vary(still(contrast=0.2), ramp(512)).std(axis=(1, 2, 3)) / ramp(1).std()
    assert 0.8 - 1e-3 <= stretched.min() < 0.82
    assert 1.18 < stretched.max() <= 1.2 + 1e-3


def test_noise_differs_from_pixel_to_pixel_and_values_stay_in_range() -> None:
    varied = vary(still(noise=0.1), np.full((64, 16, 16, 1), 128, np.float32)) / 255
    assert 0.03 < varied.std(axis=(1, 2, 3)).mean() < 0.07  # evenly between 0 and 0.1
    loud = vary(Augment(brightness=1, contrast=0.9, noise=1), ramp())
    assert loud.min() >= 0
    assert loud.max() <= 255


def test_a_dataset_is_varied_by_seed_epoch_and_step_alone() -> None:
    import tensorflow as tf

    from training.augment import Augmenter

    dataset = tf.data.Dataset.from_tensor_slices((ramp(6), np.arange(6))).batch(2)

    def run(seed: int, epoch: int) -> np.ndarray:
        varied = Augmenter(Augment()).apply(dataset, seed=seed, epoch=epoch)
        return np.concatenate([pictures.numpy() for pictures, _ in varied])

    np.testing.assert_array_equal(run(0, 3), run(0, 3))
    assert np.abs(run(0, 3) - run(0, 4)).max() > 1
    assert np.abs(run(0, 3) - run(1, 3)).max() > 1
    assert np.abs(run(0, 3)[:2] - run(0, 3)[2:4]).max() > 1
