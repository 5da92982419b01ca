"""From files to batches: every picture is decoded once, by the same code that serves, into a store of uint8 pixels."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from rich.console import Console
from rich.progress import Progress

import zoo.imaging
from training.manifest import Manifest
from zoo import disk, errors
from zoo.cards import InputSpec
from zoo.imaging.image import read
from zoo.imaging.preprocess import preprocess

if TYPE_CHECKING:
    import tensorflow as tf

Pixels = npt.NDArray[np.uint8]

_SHOWN = 10


def fingerprint(manifest: Manifest) -> str:
    """SHA-256 over every image's file name, content and labels, in the order of the manifest; 64 hexadecimal digits.

    Raises:
        BadManifest: a file cannot be read; its row is named.
    """
    digest = hashlib.sha256()
    for index, path in enumerate(manifest.files):
        try:
            content = hashlib.sha256(path.read_bytes()).hexdigest()
        except OSError as error:
            raise errors.BadManifest(f"Row {manifest.row(index)}, column file: {error.strerror}.") from None
        labels = ",".join(f"{value:g}" for value in manifest.labels[index])
        digest.update(f"{path.name}\0{content}\0{labels}\n".encode())
    return digest.hexdigest()


def load(manifest: Manifest, spec: InputSpec, cache: Path, *, key: str, console: Console | None = None) -> Pixels:
    """The pixels of all images, preprocessed as the service would: from the store, or decoded into it.

    Args:
        manifest: N images.
        spec: what the network takes.
        cache: folder of the store; shared by runs.
        key: the manifest's `fingerprint`.
        console: shows progress; None is silent.

    Returns:
        uint8 [N, H, W, C], read-only, mapped from a file.

    Raises:
        BadManifest: pictures cannot be read; the first ten are named by row and reason.
    """
    name = f"{key[:16]}-{spec.height}x{spec.width}x{spec.channels}-{_code()[:8]}.npy"
    stored = cache / name
    if not stored.is_file():
        _store(manifest, spec, stored, console)
    pixels: Pixels = np.load(stored, mmap_mode="r")
    return pixels


def _code() -> str:
    """SHA-256 of the code that decodes and resizes: when it changes, so does the store's name."""
    digest, folder = hashlib.sha256(), Path(zoo.imaging.__file__).parent
    for file in (folder / "image.py", folder / "preprocess.py", *sorted((folder / "dicom").glob("*.py"))):
        digest.update(file.read_bytes())
    return digest.hexdigest()


def _store(manifest: Manifest, spec: InputSpec, stored: Path, console: Console | None) -> None:
    """Decodes everything into a file that is complete or absent."""
    shape = (len(manifest), spec.height, spec.width, spec.channels)
    with disk.whole(stored) as hidden:
        pixels = np.lib.format.open_memmap(hidden, mode="w+", dtype=np.uint8, shape=shape)
        _decode(manifest, spec, pixels, console)
        pixels.flush()


def _decode(manifest: Manifest, spec: InputSpec, pixels: Pixels, console: Console | None) -> None:
    faults: list[str] = []

    def one(index: int) -> str | None:
        try:
            pixels[index] = preprocess(read(manifest.files[index].read_bytes()), spec)
        except OSError as error:
            return f"row {manifest.row(index)}: {error.strerror}"
        except errors.BadImage as error:
            return f"row {manifest.row(index)}: {error}"
        return None

    quiet = console is None
    with ThreadPoolExecutor(os.cpu_count()) as pool, Progress(console=console, disable=quiet, transient=True) as bar:
        decoding = bar.add_task("Decoding", total=len(manifest))
        for fault in pool.map(one, range(len(manifest))):
            bar.advance(decoding)
            if fault:
                faults.append(fault)
    if faults:
        more = f" And {len(faults) - _SHOWN} more." if len(faults) > _SHOWN else ""
        raise errors.BadManifest(
            f"{len(faults)} of {len(manifest)} images cannot be read (the header is row 1): "
            f"{' '.join(faults[:_SHOWN])}{more} Mend the files, or take their rows out."
        )


def order(count: int, *, seed: int, epoch: int) -> npt.NDArray[np.intp]:
    """The order of the images in one epoch: a permutation that depends on seed and epoch alone."""
    return np.random.default_rng([seed, epoch]).permutation(count)


def batches(
    pixels: Pixels, labels: npt.NDArray[np.float32], rows: npt.NDArray[np.intp], batch_size: int
) -> tf.data.Dataset:
    """Pictures and labels in the order of `rows`.

    Args:
        pixels: uint8 [N, H, W, C].
        labels: float32 [N, L].
        rows: which, in which order.
        batch_size: images a batch; the last may be smaller.

    Returns:
        A dataset of (float32 [B, H, W, C] in [0, 255], float32 [B, L]).
    """
    import tensorflow as tf

    def produce() -> Iterator[tuple[Pixels, npt.NDArray[np.float32]]]:
        for start in range(0, len(rows), batch_size):
            chosen = rows[start : start + batch_size]
            yield pixels[chosen], labels[chosen]

    signature = (
        tf.TensorSpec((None, *pixels.shape[1:]), tf.uint8),
        tf.TensorSpec((None, labels.shape[1]), tf.float32),
    )
    dataset = tf.data.Dataset.from_generator(produce, output_signature=signature)
    steps = -(-len(rows) // batch_size)
    return dataset.map(lambda x, y: (tf.cast(x, tf.float32), y)).apply(tf.data.experimental.assert_cardinality(steps))
