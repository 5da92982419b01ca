"""MedMNIST's `.npz` files as pictures and a manifest: https://medmnist.com, Yang et al. 2023, Sci Data 10:41."""

from __future__ import annotations

import csv
import os
import shutil
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image as Pillow

from zoo import errors

PNEUMONIA = "pneumonia"
_SPLITS = ("train", "val", "test")

Arrays = dict[str, tuple[npt.NDArray[np.uint8], npt.NDArray[np.integer[Any]]]]


def unpack(npz: Path, out: Path, *, label: str = PNEUMONIA) -> Path:
    """Writes every picture as PNG, and a manifest with the file's own splits.

    Written beside `out` and renamed at the end, so that `out` is complete or absent; where the same file was unpacked
    there before, nothing is done.

    Args:
        npz: with train_images uint8 [N, H, W] (or RGB [N, H, W, 3]), train_labels [N, 1] of 0 and 1; also val and test.
        out: the folder to make.
        label: what 1 stands for: the name of the manifest's column.

    Returns:
        The path of the manifest.

    Raises:
        BadManifest: not such a file, or `out` holds something else.
    """
    npz, out = Path(npz), Path(out)
    arrays = _read(npz)
    if _there(out, arrays):
        return out / "manifest.csv"
    partial = out.parent / f".{out.name}.partial-{os.getpid()}"
    shutil.rmtree(partial, ignore_errors=True)
    try:
        _write(partial, arrays, label)
        os.replace(partial, out)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return out / "manifest.csv"


def _read(npz: Path) -> Arrays:
    try:
        with np.load(npz, allow_pickle=False) as stored:
            arrays = {name: (stored[f"{name}_images"], stored[f"{name}_labels"]) for name in _SPLITS}
    except (OSError, EOFError, ValueError, KeyError, TypeError, zipfile.BadZipFile) as error:
        raise errors.BadManifest(
            f"{npz} is no MedMNIST file: {error}. Expected an .npz with train_images, train_labels and the same for "
            "val and test."
        ) from None
    for name, (images, labels) in arrays.items():
        if images.dtype != np.uint8 or images.ndim not in (3, 4) or labels.shape != (len(images), 1):
            raise errors.BadManifest(
                f"{npz}: {name}_images is {images.dtype} {images.shape}, {name}_labels {labels.shape}; expected uint8 "
                "[N, H, W] or [N, H, W, 3], and [N, 1]."
            )
        if not set(np.unique(labels)) <= {0, 1}:
            raise errors.BadManifest(f"{npz}: {name}_labels holds more than 0 and 1; only two-class files are read.")
    return arrays


def _there(out: Path, arrays: Arrays) -> bool:
    if not out.exists() or (out.is_dir() and not any(out.iterdir())):
        return False
    count = sum(len(images) for images, _ in arrays.values())
    if (out / "manifest.csv").is_file() and sum(1 for _ in (out / "images").glob("*.png")) == count:
        return True
    raise errors.BadManifest(f"{out} holds something else; choose another folder.")


def _write(folder: Path, arrays: Arrays, label: str) -> None:
    (folder / "images").mkdir(parents=True)
    with (folder / "manifest.csv").open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(["file", label, "split"])
        for split, (images, labels) in arrays.items():
            for number, (pixels, answer) in enumerate(zip(images, labels[:, 0], strict=True)):
                name = f"images/{split}_{number:05d}.png"
                Pillow.fromarray(pixels).save(folder / name, compress_level=1)
                writer.writerow([name, int(answer), split])
