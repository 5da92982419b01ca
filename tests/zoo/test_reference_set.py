"""The reference set: what is worked out from it, and what becomes of a file that is none."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from zoo import errors
from zoo.measures import wilson
from zoo.reference_set import Alike, ReferenceSet


def small() -> ReferenceSet:
    return ReferenceSet(
        truth=np.array([[1], [0], [-1]], np.int8),
        probability=np.array([[0.9], [0.2], [0.4]], np.float32),
        embedding=np.array([[1, 0], [0, 1], [0, 0]], np.float16),
        evidence=np.ones((3, 2, 2, 1), np.float16),
        pca=np.zeros((3, 2), np.float32),
        centre=np.array([1, 2], np.float32),
        directions=np.array([[0.6, 0.8], [-0.8, 0.6]], np.float32),
        explained=np.array([0.7, 0.2], np.float32),
        tsne=np.array([[0, 0], [10, 0], [0, 50]], np.float32),
        pixels=np.full((3, 4, 4), 7, np.uint8),
        of=30,
    )


def test_similarity_is_the_cosine_and_nothing_of_a_picture_without_features():
    # (3, 4) has length 5; its cosine is 3/5 to (1, 0), 4/5 to (0, 1).
    np.testing.assert_allclose(small().similarity(np.array([3.0, 4.0])), [0.6, 0.8, 0], rtol=1e-6)


def test_a_new_picture_lies_where_the_directions_say():
    # (3, 4) - (1, 2) = (2, 2); 0.6 * 2 + 0.8 * 2 = 2.8 and -0.8 * 2 + 0.6 * 2 = -0.4.
    np.testing.assert_allclose(small().on_pca(np.array([3, 4])), [2.8, -0.4], rtol=1e-5)


def test_a_new_picture_is_put_among_its_neighbours():
    # The two nearest weigh 0.8 and 0.6: (0.8 * 10 + 0.6 * 0) / 1.4 = 5.714.
    np.testing.assert_allclose(small().on_tsne(np.array([3.0, 4.0]), neighbours=2), [8 / 1.4, 0], rtol=1e-5)


def of(probabilities: list[float], truth: list[int]) -> ReferenceSet:
    """Pictures with one label, of which only answer and truth count."""
    return replace(small(), truth=np.array([truth], np.int8).T, probability=np.array([probabilities], np.float32).T)


def test_wilson_interval_from_the_textbook():
    # 8 of 10 (Brown, Cai and DasGupta's formula): centre (0.8 + 0.19207) / 1.38415 = 0.71674,
    # half width 1.95996 / 1.38415 * sqrt(0.016 + 0.0096037) = 0.22658.
    np.testing.assert_allclose(wilson(0.8, 10), (0.49016, 0.94332), atol=1e-4)


def test_the_share_of_those_of_about_the_same_probability_that_had_it():
    # Of ten within 0.1 of 0.8 eight had it; twenty of 0.2 are too far, and five nobody knows the truth of do not count.
    probabilities = [*np.linspace(0.75, 0.85, 10), *[0.2] * 20, *[0.8] * 5]
    reference = of(probabilities, [1] * 8 + [0] * 22 + [-1] * 5)
    found = reference.alike(0, 0.8)
    assert found is not None
    assert (found.pictures, found.had_it.value) == (10, 0.8)
    np.testing.assert_allclose((found.had_it.low, found.had_it.high), (0.49016, 0.94332), atol=1e-4)
    # Of twenty none: 0 to z^2 / (20 + z^2) = 3.8415 / 23.8415.
    none = reference.alike(0, 0.2)
    assert none is not None
    np.testing.assert_allclose((none.had_it.low, none.had_it.high), (0, 0.16113), atol=1e-4)


def test_only_the_fifty_nearest_count_and_all_that_are_as_near_as_the_last_of_them():
    near, tied, beyond = [0.5] * 40, [0.55] * 25, [0.58] * 30
    found = of([*near, *tied, *beyond], [1] * 40 + [0] * 55).alike(0, 0.5)
    assert found is not None
    assert found.pictures == 65
    assert found.had_it.value == pytest.approx(40 / 65)


def test_of_fewer_than_ten_no_share_is_told():
    assert of([0.5] * 9, [1] * 9).alike(0, 0.5) is None
    assert of([0.5] * 30, [-1] * 30).alike(0, 0.5) is None
    assert isinstance(of([0.5] * 10, [1] * 10).alike(0, 0.5), Alike)


def test_what_is_written_is_read_again_and_pictures_can_be_left_out():
    read = ReferenceSet.from_bytes(small().without_pictures().to_bytes())
    np.testing.assert_array_equal(read.truth, small().truth)
    assert (len(read), read.of, read.has_pictures, small().has_pictures) == (3, 30, False, True)
    assert read.evidence.dtype == np.float16


@pytest.mark.parametrize("damaged", [b"", b"PK no archive", small().to_bytes()[:-40]])
def test_a_damaged_file_is_a_bad_bundle(damaged):
    with pytest.raises(errors.BadBundle, match="Export the model again"):
        ReferenceSet.from_bytes(damaged)
