"""The reference set: what is worked out from it, and what becomes of a file that is none."""

from __future__ import annotations

import numpy as np
import pytest

from zoo import errors
from zoo.reference_set import ReferenceSet


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


def test_what_is_written_is_read_again_and_pictures_can_be_left_out():
    read = ReferenceSet.from_bytes(small().without_pictures().to_bytes())
    np.testing.assert_array_equal(read.truth, small().truth)
    assert (len(read), read.of, read.has_pictures, small().has_pictures) == (3, 30, False, True)
    assert read.evidence.dtype == np.float16


@pytest.mark.parametrize("damaged", [b"", b"PK no archive", small().to_bytes()[:-40]])
def test_a_damaged_file_is_a_bad_bundle(damaged):
    with pytest.raises(errors.BadBundle, match="Export the model again"):
        ReferenceSet.from_bytes(damaged)
