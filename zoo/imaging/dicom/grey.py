"""Stored grey values to brightness."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from pydicom import Dataset
from pydicom.multival import MultiValue
from pydicom.pixels import apply_modality_lut
from pydicom.pixels.processing import apply_voi
from pydicom.uid import UID, RLELossless

from zoo.imaging.dicom import shutter
from zoo.imaging.dicom.parsing import damaged, number
from zoo.imaging.dicom.windows import FloatArray, window
from zoo.imaging.image import Pixels

Index = npt.NDArray[np.unsignedinteger]

LARGE = 1 << 20  # pixels
_beside = ThreadPoolExecutor(max_workers=1, thread_name_prefix="look-up")


def displayed(stored: npt.NDArray[np.generic], dataset: Dataset) -> Pixels:
    """Grey pixels, uint8 [rows, columns], 0 black.

    Through one table of every value that could be stored, so that a large picture costs a look-up a pixel.

    Raises:
        BadImage: an unreadable modality or VOI LUT, window or shutter.
    """
    unsigned = np.dtype(f"u{stored.dtype.itemsize}")
    index = np.ascontiguousarray(stored).view(unsigned)
    bits = number(dataset, "BitsStored")
    samples = _samples(unsigned, bits, dataset)
    values = np.arange(2**bits, dtype=np.int64)
    if stored.dtype.kind == "i":
        values[2 ** (bits - 1) :] -= 2**bits
    padded = _padding(values, dataset)
    shown = _brightness(values, index, samples, padded, dataset)
    if _inverse(dataset):
        shown = 1.0 - shown
    shown[padded] = 0.0
    return _look_up(np.rint(np.nan_to_num(shown) * 255).astype(np.uint8)[samples], index)


def _samples(unsigned: np.dtype[np.generic], bits: int, dataset: Dataset) -> Index:
    """The sample in each pattern of bits: it ends at High Bit, whatever lies beside it (PS3.5 section 8.1.1)."""
    syntax = UID(str(dataset.file_meta.TransferSyntaxUID))
    laid_out = not syntax.is_compressed or syntax == RLELossless  # a codec hands out samples without bits beside them
    high = number(dataset, "HighBit", bits - 1) if laid_out and number(dataset, "BitsAllocated") > 1 else bits - 1
    return _patterns(unsigned, bits, high)


@lru_cache(maxsize=16)
def _patterns(unsigned: np.dtype[np.generic], bits: int, high: int) -> Index:
    """The sample of so many bits up to `high` in every pattern there is; not to be written to."""
    every = np.arange(2 ** (8 * unsigned.itemsize), dtype=unsigned)
    samples = np.asarray((every >> (high + 1 - bits)) & (2**bits - 1))
    samples.flags.writeable = False
    return samples


def _inverse(dataset: Dataset) -> bool:
    """Whether the smallest value is white: MONOCHROME1 (PS3.3 C.7.6.3.1.2) or INVERSE (C.11.6), which say the same."""
    return dataset.PhotometricInterpretation == "MONOCHROME1" or dataset.get("PresentationLUTShape") == "INVERSE"


def _look_up(table: Pixels, index: Index) -> Pixels:
    """`table[index]`; the lower half of a large picture by a thread beside this one, unless that is busy."""
    looked_up = np.empty(index.shape, np.uint8)
    if index.size < LARGE:
        _look_up_rows(table, index, looked_up)
        return looked_up
    half = len(index) // 2
    lower = _beside.submit(_look_up_rows, table, index[half:], looked_up[half:])
    _look_up_rows(table, index[:half], looked_up[:half])
    if lower.cancel():
        _look_up_rows(table, index[half:], looked_up[half:])
    else:
        lower.result()
    return looked_up


def _look_up_rows(table: Pixels, index: Index, looked_up: Pixels, rows: int = 128) -> None:
    """Some rows at a time, so that the index, which NumPy widens to 64 bits, stays in the cache."""
    for top in range(0, len(index), rows):
        np.take(table, index[top : top + rows], out=looked_up[top : top + rows], mode="clip")


def _padding(values: npt.NDArray[np.int64], dataset: Dataset) -> npt.NDArray[np.bool_]:
    """Which stored values fill the picture up to a rectangle (PS3.3 C.7.5.1.1.2)."""
    first = dataset.get("PixelPaddingValue")
    if not isinstance(first, int):
        return np.zeros(len(values), bool)
    last = dataset.get("PixelPaddingRangeLimit", first)
    last = last if isinstance(last, int) else first
    return np.asarray((values >= min(first, last)) & (values <= max(first, last)))


def _brightness(
    values: npt.NDArray[np.int64], index: Index, samples: Index, padded: npt.NDArray[np.bool_], dataset: Dataset
) -> FloatArray:
    """Stored values to brightness in [0, 1]; `index` is the picture in `samples`, and these lie in `values`."""
    try:
        modality = np.asarray(apply_modality_lut(values, dataset), np.float64)
        if dataset.get("VOILUTSequence"):
            item = dataset.VOILUTSequence[0]
            looked_up = np.asarray(apply_voi(modality.astype(np.int64), dataset), np.float64)
            return np.clip(looked_up / (2 ** int(item.LUTDescriptor[2]) - 1), 0, 1)
        centre, width = _first(dataset.get("WindowCenter")), _first(dataset.get("WindowWidth"))
    except Exception:
        raise damaged("its modality or VOI look-up table is unreadable (PS3.3 C.11.1 and C.11.2)") from None
    if centre is None or width is None:
        counts = np.bincount(samples, weights=_counts(index, len(samples), dataset), minlength=len(values))
        return _spread(modality, np.asarray(counts * ~padded, np.float64))
    return window(modality, centre, width, str(dataset.get("VOILUTFunction", "") or "LINEAR"))


def _counts(index: Index, length: int, dataset: Dataset) -> npt.NDArray[np.int64]:
    """How often each value occurs where the picture shows something."""
    for kind in ("Shutter", "Collimator"):
        inside = shutter.mask(dataset, kind, index.shape)
        if inside is not None and inside.any():
            return np.bincount(index[inside], minlength=length)
    return np.bincount(index.ravel(), minlength=length)


def _spread(values: FloatArray, counts: FloatArray) -> FloatArray:
    """From the 0.5th percentile (black) to the 99.5th (white) of the values that occur."""
    occurring = np.flatnonzero(counts)
    if not len(occurring):
        return np.zeros(len(values))
    order = occurring[np.argsort(values[occurring])]
    share = np.cumsum(counts[order]) / counts.sum()
    low, high = (values[order[np.searchsorted(share, at)]] for at in (0.005, 0.995))
    return np.clip((values - low) / (high - low), 0, 1) if high > low else np.zeros(len(values))


def _first(value: object) -> float | None:
    """The first of several windows is the one to show first (PS3.3 C.11.2.1.2)."""
    if isinstance(value, MultiValue):
        value = value[0] if len(value) else None
    return None if value in (None, "") else float(str(value))
