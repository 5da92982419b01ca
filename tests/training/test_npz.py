"""MedMNIST files become pictures and a manifest with their own splits."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from training import manifest
from training.datasets.npz import unpack
from zoo import errors, tasks
from zoo.imaging.image import read_file


def arrays(count: int = 3) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    return {
        key: value
        for split in ("train", "val", "test")
        for key, value in (
            (f"{split}_images", rng.integers(0, 255, (count, 28, 28), dtype=np.uint8)),
            (f"{split}_labels", np.arange(count, dtype=np.uint8)[:, None] % 2),
        )
    }


def test_every_picture_keeps_its_pixels_its_label_and_its_split(tmp_path: Path) -> None:
    given = arrays()
    np.savez(tmp_path / "mini.npz", **given)
    read = manifest.read(unpack(tmp_path / "mini.npz", tmp_path / "out"), tasks.PNEUMONIA)
    assert read.splits == ["train"] * 3 + ["val"] * 3 + ["test"] * 3
    assert read.labels[:, 0].tolist() == [0, 1, 0] * 3
    expected = np.concatenate([given[f"{split}_images"] for split in ("train", "val", "test")])
    np.testing.assert_array_equal(np.stack([read_file(path).pixels for path in read.files]), expected)


def test_unpacking_again_does_nothing_and_another_folder_is_left_alone(tmp_path: Path) -> None:
    np.savez(tmp_path / "mini.npz", **arrays())
    first = unpack(tmp_path / "mini.npz", tmp_path / "out").stat().st_mtime_ns
    assert unpack(tmp_path / "mini.npz", tmp_path / "out").stat().st_mtime_ns == first
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "work.txt").touch()
    with pytest.raises(errors.BadManifest, match="holds something else"):
        unpack(tmp_path / "mini.npz", tmp_path / "mine")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine", "mini.npz", "out"]


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"train_images": None}, "no MedMNIST file"),
        ({"train_labels": np.zeros((3, 14), np.uint8)}, r"train_labels \(3, 14\); expected"),
        ({"val_labels": np.full((3, 1), 7, np.uint8)}, "val_labels holds more than 0 and 1"),
        ({"test_images": np.zeros((3, 28, 28), np.float32)}, "test_images is float32"),
    ],
)
def test_what_is_no_such_file_is_refused(tmp_path: Path, changed: dict[str, np.ndarray | None], said: str) -> None:
    kept = {key: value for key, value in (arrays() | changed).items() if value is not None}
    np.savez(tmp_path / "odd.npz", **kept)
    with pytest.raises(errors.BadManifest, match=said):
        unpack(tmp_path / "odd.npz", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_file_of_another_kind_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text.npz").write_text("hello")
    with pytest.raises(errors.BadManifest, match="no MedMNIST file"):
        unpack(tmp_path / "text.npz", tmp_path / "out")
