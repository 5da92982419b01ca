"""The store of decoded pictures, the fingerprint, the order and the batches."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from training import manifest, pipeline
from training.manifest import Manifest
from zoo import errors, tasks
from zoo.cards import InputSpec
from zoo.imaging.image import read_file
from zoo.imaging.preprocess import preprocess

SPEC = InputSpec(height=24, width=32, channels=1)


def images(folder: Path, count: int = 5) -> Manifest:
    rng = np.random.default_rng(0)
    for number in range(count):
        pixels = rng.integers(0, 255, (40 + number, 50), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{number}.png")
    rows = "".join(f"{number}.png,benign,ID-{number}\n" for number in range(count))
    (folder / "manifest.csv").write_text("file,label,patient_id\n" + rows)
    return manifest.read(folder / "manifest.csv", tasks.BREAST_ULTRASOUND)


def test_the_pixels_are_those_the_service_would_see(tmp_path: Path) -> None:
    found = images(tmp_path)
    pixels = pipeline.load(found, SPEC, tmp_path / "cache", key="k")
    assert pixels.shape == (5, 24, 32, 1)
    assert pixels.dtype == np.uint8
    for index, path in enumerate(found.files):
        np.testing.assert_array_equal(pixels[index], preprocess(read_file(path), SPEC))


def test_pictures_are_decoded_once_and_the_store_holds_nothing_unfinished(tmp_path: Path) -> None:
    found, cache = images(tmp_path), tmp_path / "cache"
    first = np.array(pipeline.load(found, SPEC, cache, key="k"))
    for path in found.files:
        path.unlink()
    np.testing.assert_array_equal(pipeline.load(found, SPEC, cache, key="k"), first)
    assert len(list(cache.iterdir())) == 1


def test_another_size_or_fingerprint_is_stored_apart(tmp_path: Path) -> None:
    found, cache = images(tmp_path), tmp_path / "cache"
    pipeline.load(found, SPEC, cache, key="k")
    assert pipeline.load(found, SPEC.model_copy(update={"height": 48}), cache, key="k").shape[1] == 48
    pipeline.load(found, SPEC, cache, key="other")
    assert len(list(cache.iterdir())) == 3


def test_unreadable_pictures_are_named_by_row_and_reason_and_nothing_is_stored(tmp_path: Path) -> None:
    found = images(tmp_path)
    found.files[1].write_bytes(b"")
    found.files[3].write_bytes(b"not an image")
    with pytest.raises(errors.BadManifest) as refusal:
        pipeline.load(found, SPEC, tmp_path / "cache", key="k")
    message = str(refusal.value)
    assert message.startswith("2 of 5 images cannot be read")
    assert "row 3: The file is empty" in message
    assert "row 5: The file is none of DICOM, PNG and JPEG" in message
    assert "ID-" not in message
    assert ".png" not in message
    assert list((tmp_path / "cache").iterdir()) == []


def test_the_fingerprint_follows_names_contents_and_labels_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    found = images(tmp_path / "one")
    before = pipeline.fingerprint(found)
    assert len(before) == 64
    assert pipeline.fingerprint(images(tmp_path / "two")) == before
    assert pipeline.fingerprint(found.take([1, 0, 2, 3, 4])) != before
    found.labels[0] = [0, 1, 0]
    assert pipeline.fingerprint(found) != before
    found.labels[0] = [1, 0, 0]
    found.files[0].write_bytes(found.files[0].read_bytes() + b"\0")
    assert pipeline.fingerprint(found) != before


def test_the_order_is_a_permutation_of_seed_and_epoch_alone() -> None:
    order = pipeline.order(50, seed=1, epoch=2)
    assert sorted(order) == list(range(50))
    np.testing.assert_array_equal(order, pipeline.order(50, seed=1, epoch=2))
    assert (order != pipeline.order(50, seed=1, epoch=3)).any()
    assert (order != pipeline.order(50, seed=2, epoch=2)).any()


@pytest.mark.slow
def test_batches_hold_the_pictures_and_labels_of_the_rows_in_order() -> None:
    pixels = np.arange(5, dtype=np.uint8).repeat(4).reshape(5, 2, 2, 1)
    labels = np.arange(5, dtype=np.float32)[:, None]
    dataset = pipeline.batches(pixels, labels, np.array([4, 0, 3, 1, 2]), 2)
    assert int(dataset.cardinality()) == 3
    pictures, truth = zip(*[(x.numpy(), y.numpy()) for x, y in dataset], strict=True)
    assert [len(batch) for batch in pictures] == [2, 2, 1]
    assert pictures[0].dtype == np.float32
    assert np.concatenate(pictures)[:, 0, 0, 0].tolist() == [4, 0, 3, 1, 2]
    assert np.concatenate(truth)[:, 0].tolist() == [4, 0, 3, 1, 2]
