"""Which pixels a picture shows: display shutter (PS3.3 C.7.6.11) and collimator (C.8.7.3)."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import numpy.typing as npt
from PIL import Image as Pillow
from PIL import ImageDraw
from pydicom import Dataset

from zoo.imaging.dicom.parsing import damaged
from zoo.imaging.image import Pixels

Mask = npt.NDArray[np.bool_]
_MOST_VERTICES = 4096


def shut(pixels: Pixels, dataset: Dataset) -> Pixels:
    """The picture with what lies outside its shutter in the shutter's own grey, black where it names none.

    Raises:
        BadImage: the shutter cannot be read.
    """
    inside = mask(dataset, "Shutter", pixels.shape[:2])
    if inside is None:
        return pixels
    value = dataset.get("ShutterPresentationValue")
    outside = int(value) >> 8 if isinstance(value, int) and 0 <= value <= 0xFFFF else 0  # a P-Value of 16 bits
    shown = pixels.copy()
    shown[~inside] = outside
    return shown


def mask(dataset: Dataset, kind: str, shape: tuple[int, ...]) -> Mask | None:
    """The pixels inside every shape of a shutter or collimator; None where there is none.

    Args:
        dataset: with ShutterShape (0018,1600) or CollimatorShape (0018,1700) and what these call for.
        kind: `Shutter` or `Collimator`.
        shape: rows and columns.

    Raises:
        BadImage: a shape lacks its edges, or they are no numbers.
    """
    shapes = dataset.get(f"{kind}Shape")
    if not shapes:
        return None
    drawing = {"RECTANGULAR": _rectangle, "CIRCULAR": _circle, "POLYGONAL": _polygon}
    inside = np.ones(shape[:2], bool)
    try:
        for name in [shapes] if isinstance(shapes, str) else list(shapes)[:3]:
            canvas = Pillow.new("1", (shape[1], shape[0]))
            drawing[str(name)](ImageDraw.Draw(canvas), dataset, kind)
            inside &= np.asarray(canvas)
    except Exception:
        raise damaged(f"its {kind.lower()} cannot be read (PS3.3 C.7.6.11, C.8.7.3)") from None
    return inside


def _rectangle(pen: ImageDraw.ImageDraw, dataset: Dataset, kind: str) -> None:
    """Rows and columns count from 1; the edges themselves are shown."""
    edges = ("LeftVerticalEdge", "UpperHorizontalEdge", "RightVerticalEdge", "LowerHorizontalEdge")
    left, top, right, bottom = (int(dataset[f"{kind}{edge}"].value) - 1 for edge in edges)
    pen.rectangle((left, top, right, bottom), fill=1)


def _circle(pen: ImageDraw.ImageDraw, dataset: Dataset, kind: str) -> None:
    row, column = (int(value) - 1 for value in dataset[f"CenterOfCircular{kind}"].value)
    radius = int(dataset[f"RadiusOfCircular{kind}"].value)
    pen.ellipse((column - radius, row - radius, column + radius, row + radius), fill=1)


def _polygon(pen: ImageDraw.ImageDraw, dataset: Dataset, kind: str) -> None:
    values = [int(value) - 1 for value in dataset[f"VerticesOfThePolygonal{kind}"].value[: 2 * _MOST_VERTICES]]
    corners = [(column, row) for row, column in list(pairwise(values))[::2]]
    pen.polygon(corners, fill=1)
