"""What the viewer draws: a file's values as they were measured, not yet windowed, with how to show them first."""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from pydicom import Dataset, dcmread
from pydicom.multival import MultiValue
from pydicom.pixels import apply_modality_lut

from dashboard.viewer import orientation
from zoo.imaging.image import Image

DICOM = "DICOM"
SHAPES = ("LINEAR", "LINEAR_EXACT", "SIGMOID")


@dataclass(frozen=True, kw_only=True)
class Window:
    """Which values become black and white: centre and width, in the unit of the picture (PS3.3 C.11.2.1.2)."""

    centre: float
    width: float


@dataclass(frozen=True, kw_only=True, eq=False)
class Slice:
    """One picture as the viewer takes it.

    Attributes:
        sha256: of the file.
        data: `kind` row by row: grey16 (little endian), grey8 or rgb8.
        width, height: in pixels.
        slope, intercept: value = slope * stored + intercept, in `unit`.
        unit: "HU", another Rescale Type, or empty.
        shape: VOI LUT Function (0028,1056).
        windows: the file's own, the first to be shown first; where it names none, the 0.5th to 99.5th percentile.
        full: from the smallest value to the largest.
        inverted: whether low values are white (MONOCHROME1).
        aspect: how many times as high as wide a pixel is.
        modality: DICOM Modality (0008,0060), or empty.
        marks: which side of the patient each side of the picture is, by top, right, bottom, left; None where unknown.
    """

    sha256: str
    data: bytes
    kind: str
    width: int
    height: int
    slope: float = 1.0
    intercept: float = 0.0
    unit: str = ""
    shape: str = "LINEAR"
    windows: tuple[Window, ...]
    full: Window
    percentiles: Window
    inverted: bool = False
    aspect: float = 1.0
    modality: str = ""
    marks: dict[str, str] | None = None


def slice_of(data: bytes, picture: Image, sha256: str) -> Slice:
    """A file, already read as `picture` and with its SHA-256 taken, for the viewer.

    A grey DICOM picture keeps all its bits, after the modality LUT (PS3.3 C.11.1). Everything else is shown as the
    8 bits of `picture`: colour, PNG and JPEG, and what a straight window cannot say (VOI LUT, display shutter).
    """
    dataset = dcmread(io.BytesIO(data)) if picture.format == DICOM else None
    marks = orientation.marks(dataset) if dataset is not None else None
    if dataset is None or picture.pixels.ndim == 3 or "VOILUTSequence" in dataset or "ShutterShape" in dataset:
        return _displayed(picture, marks, sha256)
    return _measured(dataset, picture, marks, sha256)


def _displayed(picture: Image, marks: dict[str, str] | None, sha256: str) -> Slice:
    grey = picture.pixels.ndim == 2
    as_it_is = Window(centre=128.0, width=256.0)  # LINEAR: brightness is value / 255
    return Slice(
        sha256=sha256,
        data=np.ascontiguousarray(picture.pixels).tobytes(),
        kind="grey8" if grey else "rgb8",
        width=picture.width,
        height=picture.height,
        windows=(as_it_is,),
        full=as_it_is,
        percentiles=_percentiles(picture.pixels),
        aspect=picture.pixel_aspect,
        modality=picture.modality,
        marks=marks,
    )


def _measured(dataset: Dataset, picture: Image, marks: dict[str, str] | None, sha256: str) -> Slice:
    stored = _without_padding(dataset.pixel_array, dataset)
    if "ModalityLUTSequence" in dataset:
        stored = np.asarray(apply_modality_lut(stored, dataset), np.int32)
        slope, intercept = 1.0, 0.0
    else:
        slope, intercept = float(dataset.get("RescaleSlope") or 1), float(dataset.get("RescaleIntercept") or 0)
    least = int(stored.min())
    shape = str(dataset.get("VOILUTFunction") or "LINEAR")
    percentiles = _percentiles(stored, slope, intercept)
    low, high = sorted(end * slope + intercept for end in (least, int(stored.max())))
    return Slice(
        sha256=sha256,
        data=_from_zero(stored, least),
        kind="grey16",
        width=picture.width,
        height=picture.height,
        slope=slope,
        intercept=intercept + slope * least,
        unit=_unit(dataset),
        shape=shape if shape in SHAPES else "LINEAR",
        windows=_windows(dataset) or (percentiles,),
        full=_between(low, high),
        percentiles=percentiles,
        inverted=(dataset.PhotometricInterpretation == "MONOCHROME1")
        or dataset.get("PresentationLUTShape") == "INVERSE",
        aspect=picture.pixel_aspect,
        modality=picture.modality,
        marks=marks,
    )


def _from_zero(stored: npt.NDArray[np.integer], least: int) -> bytes:
    """Each value less the smallest, as grey16: they are of 16 bits at most, so counting modulo 2^16 will do."""
    values = stored.astype("<u2")
    values -= np.uint16(least % (1 << 16))
    return values.tobytes()


def _without_padding(stored: npt.NDArray[np.integer], dataset: Dataset) -> npt.NDArray[np.integer]:
    """What fills the picture up to a rectangle (PS3.3 C.7.5.1.1.2) takes the smallest value of the rest."""
    first = dataset.get("PixelPaddingValue")
    if not isinstance(first, int):
        return stored
    last = dataset.get("PixelPaddingRangeLimit", first)
    padded = (stored >= min(first, last)) & (stored <= max(first, last))
    return np.where(padded, stored[~padded].min(), stored) if padded.any() and not padded.all() else stored


def _unit(dataset: Dataset) -> str:
    """Rescale Type (0028,1054); CT is in Hounsfield units where it says nothing (PS3.3 C.8.2.1)."""
    said = str(dataset.get("RescaleType") or "").strip()
    return "" if said == "US" else said[:16] or ("HU" if dataset.get("Modality") == "CT" else "")


def _windows(dataset: Dataset) -> tuple[Window, ...]:
    pairs = zip(_numbers(dataset.get("WindowCenter")), _numbers(dataset.get("WindowWidth")), strict=False)
    return tuple(Window(centre=centre, width=width) for centre, width in pairs if width > 0)


def _numbers(value: object) -> list[float]:
    if value in (None, ""):
        return []
    return [float(str(each)) for each in (value if isinstance(value, MultiValue) else [value])]


def _percentiles(stored: npt.NDArray[np.integer], slope: float = 1.0, intercept: float = 0.0) -> Window:
    """The 0.5th to the 99.5th percentile, of at most some hundred thousand values evenly taken."""
    flat = stored.ravel()
    some = flat[:: max(1, flat.size // 400_000)] * slope + intercept
    low, high = np.percentile(some, (0.5, 99.5))
    return _between(float(low), float(high))


def _between(low: float, high: float) -> Window:
    """The LINEAR window that shows `low` black and `high` white: it has a half and a one in it (C.11.2.1.2.1)."""
    return Window(centre=(low + high) / 2 + 0.5, width=max(high - low, 1.0) + 1)
