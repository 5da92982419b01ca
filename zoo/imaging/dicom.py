"""A DICOM file to the picture a reading room would show. Each rule names its section of PS3.3 or PS3.5."""

from __future__ import annotations

import io
import logging
import warnings
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from pydicom import config, dcmread
from pydicom.multival import MultiValue
from pydicom.pixels import apply_color_lut, apply_modality_lut, get_decoder
from pydicom.pixels.processing import apply_voi
from pydicom.uid import UID

from zoo import errors
from zoo.errors import Reason
from zoo.imaging.image import Image, Pixels, check_size

if TYPE_CHECKING:
    from pydicom import Dataset

FloatArray = npt.NDArray[np.float64]

GREY = ("MONOCHROME1", "MONOCHROME2")
COLOUR = ("RGB", "PALETTE COLOR", "YBR_FULL", "YBR_FULL_422", "YBR_ICT", "YBR_RCT")

# pydicom warns of odd values by quoting them; a value may be a patient's.
config.settings.reading_validation_mode = config.IGNORE
logging.getLogger("pydicom").setLevel(logging.CRITICAL)


def read(data: bytes, *, max_pixels: int) -> Image:
    """The single frame of a DICOM file, as displayed.

    The chain of PS3.4 section N.2: stored values, modality LUT (PS3.3 C.11.1), VOI LUT or window (C.11.2),
    polarity (C.7.6.3.1.2), to 0..255 with 0 black. Where the file has no window, the 0.5th to the 99.5th
    percentile of its values is shown.

    Args:
        data: the whole file, with its preamble.
        max_pixels: larger pictures are refused before their pixels are decoded.

    Raises:
        BadImage: damaged, no pixel data, several frames, an unreadable transfer syntax or an unknown
            photometric interpretation. No message quotes a value that could be a patient's.
    """
    dataset = _parse(data)
    _check(dataset, max_pixels)
    stored = _decode(dataset)
    pixels = _grey(stored, dataset) if dataset.PhotometricInterpretation in GREY else _colour(stored, dataset)
    return Image(
        pixels=pixels,
        format="DICOM",
        modality=str(dataset.get("Modality", "") or ""),
        body_part=str(dataset.get("BodyPartExamined", "") or ""),
        view=str(dataset.get("ViewPosition", "") or ""),
    )


def _damaged(what: str) -> errors.BadImage:
    return errors.BadImage(f"The DICOM file is damaged: {what}. Send it again from its source.", Reason.DAMAGED)


def _parse(data: bytes) -> Dataset:
    try:
        return dcmread(io.BytesIO(data))
    except Exception:  # pydicom raises a dozen kinds here, and their texts may quote the file
        raise _damaged("its data set cannot be parsed (PS3.5 section 7)") from None


def _check(dataset: Dataset, max_pixels: int) -> None:
    """What must hold before a pixel is decoded."""
    needed = ("Rows", "Columns", "BitsAllocated", "BitsStored", "SamplesPerPixel", "PhotometricInterpretation")
    missing = [keyword for keyword in needed if dataset.get(keyword) in (None, "")]
    if "PixelData" not in dataset:
        raise errors.BadImage(
            "The DICOM file has no (7FE0,0010) Pixel Data: it is a report or another object without a picture. "
            "Send an image object.",
            Reason.NOT_AN_IMAGE,
        )
    if missing:
        raise _damaged(f"{', '.join(missing)} of the Image Pixel module is missing (PS3.3 C.7.6.3)")
    try:
        check_size(int(dataset.Columns), int(dataset.Rows), max_pixels)
        frames = int(dataset.get("NumberOfFrames", 1) or 1)
    except (TypeError, ValueError):
        raise _damaged("Rows, Columns or Number of Frames is not a number (PS3.3 C.7.6.3)") from None
    if frames != 1:
        raise errors.BadImage(
            f"(0028,0008) Number of Frames is {frames}; one picture is read at a time. Send single frames.",
            Reason.MULTIPLE_FRAMES,
        )
    _check_pixels(dataset)
    _check_syntax(dataset)


def _check_pixels(dataset: Dataset) -> None:
    if dataset.PhotometricInterpretation not in GREY + COLOUR:
        raise errors.BadImage(
            f"(0028,0004) Photometric Interpretation is none of {', '.join(GREY + COLOUR)}, which are read "
            "(PS3.3 C.7.6.3.1.2).",
            Reason.UNSUPPORTED_PIXELS,
        )
    if dataset.BitsAllocated not in (8, 16) or not 1 <= dataset.BitsStored <= dataset.BitsAllocated:
        raise errors.BadImage(
            f"The picture has {dataset.BitsStored} of {dataset.BitsAllocated} bits per sample; read are 8 and 16 bits "
            "allocated with at most as many stored (PS3.5 section 8.1.1).",
            Reason.UNSUPPORTED_PIXELS,
        )


def _check_syntax(dataset: Dataset) -> None:
    syntax = UID(str(getattr(dataset.file_meta, "TransferSyntaxUID", "")))
    try:
        readable = not syntax.is_encapsulated or get_decoder(syntax).is_available
    except (NotImplementedError, ValueError):
        readable = False
    if not readable:
        raise errors.BadImage(
            f"The transfer syntax {syntax.name} ({syntax}) cannot be read here. Send the image uncompressed, RLE, "
            "JPEG, JPEG-LS or JPEG 2000 (PS3.5 section 10 and annex A).",
            Reason.UNREADABLE_TRANSFER_SYNTAX,
        )


def _decode(dataset: Dataset) -> npt.NDArray[np.generic]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            syntax = UID(str(dataset.file_meta.TransferSyntaxUID))
            # A view, since nobody writes to it; the table of `_grey` drops unused bits, which costs no copy.
            colour = dataset.PhotometricInterpretation in COLOUR
            pixels, _ = get_decoder(syntax).as_array(dataset, view_only=True, correct_unused_bits=colour)
            return np.asarray(pixels, pixels.dtype.newbyteorder("="))
    except Exception:  # as above: many kinds, and plugins of their own
        raise _damaged("its pixels cannot be decoded (PS3.5 section 8)") from None


def _grey(stored: npt.NDArray[np.generic], dataset: Dataset) -> Pixels:
    """Grey pixels through one table of every possible stored value, so that a large picture costs a look-up a pixel."""
    unsigned = np.dtype(f"u{stored.dtype.itemsize}")
    unused = 8 * unsigned.itemsize - int(dataset.BitsStored)  # above the sample; they may hold anything (PS3.5 8.1.1)
    every = np.arange(2 ** (8 * unsigned.itemsize), dtype=unsigned).view(stored.dtype)
    values = ((every << unused) >> unused).astype(np.int64)
    padded = _padding(values, dataset)
    index = np.ascontiguousarray(stored).view(unsigned)
    shown = _displayed(values, index, padded, dataset)
    if dataset.PhotometricInterpretation == "MONOCHROME1":  # the smallest value is white (PS3.3 C.7.6.3.1.2)
        shown = 1.0 - shown
    shown[padded] = 0.0
    return _look_up(np.rint(shown * 255).astype(np.uint8), index)


def _look_up(table: Pixels, index: npt.NDArray[np.unsignedinteger], rows: int = 128) -> Pixels:
    """`table[index]`, some rows at a time, so that the index, which NumPy widens to 64 bits, stays in the cache."""
    looked_up = np.empty(index.shape, np.uint8)
    for top in range(0, len(index), rows):
        np.take(table, index[top : top + rows], out=looked_up[top : top + rows], mode="clip")
    return looked_up


def _padding(values: npt.NDArray[np.int64], dataset: Dataset) -> npt.NDArray[np.bool_]:
    """Which stored values fill the picture up to a rectangle (PS3.3 C.7.5.1.1.2)."""
    first = dataset.get("PixelPaddingValue")
    if first is None:
        return np.zeros(len(values), bool)
    last = dataset.get("PixelPaddingRangeLimit", first)
    return np.asarray((values >= min(first, last)) & (values <= max(first, last)))


def _displayed(
    values: npt.NDArray[np.int64],
    index: npt.NDArray[np.unsignedinteger],
    padded: npt.NDArray[np.bool_],
    dataset: Dataset,
) -> FloatArray:
    """Stored values to brightness in [0, 1]; `index` is the picture, as places in `values`."""
    try:
        modality = np.asarray(apply_modality_lut(values, dataset), np.float64)
        if "VOILUTSequence" in dataset:
            item = dataset.VOILUTSequence[0]
            looked_up = np.asarray(apply_voi(modality.astype(np.int64), dataset), np.float64)
            return np.clip(looked_up / (2 ** int(item.LUTDescriptor[2]) - 1), 0, 1)
        centre, width = _first(dataset.get("WindowCenter")), _first(dataset.get("WindowWidth"))
    except Exception:
        raise _damaged("its modality or VOI look-up table is unreadable (PS3.3 C.11.1 and C.11.2)") from None
    if centre is None or width is None:
        counts = np.bincount(index.ravel(), minlength=len(values))
        return _spread(modality, counts * ~padded)
    return window(modality, centre, width, str(dataset.get("VOILUTFunction", "") or "LINEAR"))


def _spread(values: FloatArray, counts: npt.NDArray[np.int64]) -> FloatArray:
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


def window(values: FloatArray, centre: float, width: float, function: str = "LINEAR") -> FloatArray:
    """Brightness through a window.

    LINEAR        ((x - (c - 0.5)) / (w - 1) + 0.5), w >= 1      PS3.3 C.11.2.1.2.1
    LINEAR_EXACT  ((x - c) / w + 0.5), w > 0                     PS3.3 C.11.2.1.3.2
    SIGMOID       1 / (1 + exp(-4 (x - c) / w)), w > 0           PS3.3 C.11.2.1.3.1

    Args:
        values: after the modality LUT, any unit.
        centre: WindowCenter (0028,1050), in the same unit.
        width: WindowWidth (0028,1051).
        function: VOILUTFunction (0028,1056).

    Returns:
        Brightness in [0, 1], the shape of `values`.

    Raises:
        BadImage: an unknown function, or a width the function does not allow.
    """
    if function not in ("LINEAR", "LINEAR_EXACT", "SIGMOID") or width <= 0 or (function == "LINEAR" and width < 1):
        raise errors.BadImage(
            f"(0028,1051) Window Width is {width:g} and (0028,1056) VOI LUT Function not one that allows it: LINEAR "
            "takes 1 or more, LINEAR_EXACT and SIGMOID more than 0 (PS3.3 C.11.2.1.2 and C.11.2.1.3).",
            Reason.UNSUPPORTED_PIXELS,
        )
    if function == "SIGMOID":
        return np.asarray(1 / (1 + np.exp(np.clip(-4 * (values - centre) / width, -60, 60))))
    if function == "LINEAR_EXACT":
        return np.clip((values - centre) / width + 0.5, 0, 1)
    if width == 1:  # a step between black and white
        return (values > centre - 0.5).astype(np.float64)
    return np.clip((values - (centre - 0.5)) / (width - 1) + 0.5, 0, 1)


def _colour(stored: npt.NDArray[np.generic], dataset: Dataset) -> Pixels:
    """Colour pixels as RGB; pydicom has already turned YBR into RGB (PS3.3 C.7.6.3.1.2)."""
    bits = int(dataset.BitsStored)
    if dataset.PhotometricInterpretation == "PALETTE COLOR":
        try:
            stored = np.asarray(apply_color_lut(stored, dataset))
            bits = 8 * stored.dtype.itemsize
        except Exception:
            raise _damaged("its palette is unreadable (PS3.3 C.7.9)") from None
    return np.clip(stored.astype(np.int64) >> max(bits - 8, 0), 0, 255).astype(np.uint8)
