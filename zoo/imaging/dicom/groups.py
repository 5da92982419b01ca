"""What an object says of one frame: an enhanced one keeps it in functional groups (PS3.3 C.7.6.16)."""

from __future__ import annotations

from collections.abc import Iterator

from pydicom import DataElement, Dataset
from pydicom.sequence import Sequence

from zoo.imaging.dicom import bounds
from zoo.imaging.dicom.parsing import USED, damaged, number

_GROUPS = ("PixelValueTransformationSequence", "FrameVOILUTSequence", "PixelMeasuresSequence")
_SHAPES = tuple(
    name.format(kind)
    for kind in ("Shutter", "Collimator")
    for name in (
        *("{}LeftVerticalEdge", "{}RightVerticalEdge", "{}UpperHorizontalEdge", "{}LowerHorizontalEdge"),
        *("CenterOfCircular{}", "RadiusOfCircular{}", "VerticesOfThePolygonal{}"),
    )
)
_PALETTES = tuple(
    name.format(colour)
    for colour in ("Red", "Green", "Blue")
    for name in (
        "{}PaletteColorLookupTableDescriptor",
        "{}PaletteColorLookupTableData",
        "Segmented{}PaletteColorLookupTableData",
    )
)
_ASPECT = ("PixelSpacing", "ImagerPixelSpacing", "NominalScannedPixelSpacing")


def of_frame(dataset: Dataset, frame: int) -> Dataset:
    """The data set with the frame's own rescale, window and spacing at its top level (C.7.6.16.2.1, .9 and .10).

    A frame's own group comes before the one all frames share, and both before the top level.

    Raises:
        BadImage: they cannot be read, or are longer than such groups are.
    """
    bounds.check_frames(dataset, number(dataset, "NumberOfFrames", 1) or 1)
    try:
        groups = [*_items(dataset, "SharedFunctionalGroupsSequence", 1)]
        groups += _items(dataset, "PerFrameFunctionalGroupsSequence", frame)
        own = [item for group in groups for keyword in _GROUPS for item in _items(group, keyword, 1)]
        if not own:
            return dataset
        merged = Dataset()
        for item in (dataset, *own):
            merged.update({element.tag: element for element in _known(item)})
    except Exception:
        raise damaged("its functional groups cannot be read (PS3.3 C.7.6.16)") from None
    merged.file_meta = dataset.file_meta
    return merged


def _known(item: Dataset) -> Iterator[DataElement]:
    """What the picture is shown by."""
    return (item[keyword] for keyword in (*USED, *_SHAPES, *_PALETTES) if keyword in item)


def _items(dataset: Dataset, keyword: str, position: int) -> Iterator[Dataset]:
    """The item of a sequence at a position, from 1, if it is there."""
    sequence = dataset.get(keyword)
    if isinstance(sequence, Sequence) and len(sequence) >= position:
        yield sequence[position - 1]


def pixel_aspect(dataset: Dataset) -> float:
    """How many times as high as wide a pixel is: Pixel Aspect Ratio (PS3.3 C.7.6.3.1.7), else by the spacing (C.10.7).

    1.0 where neither is there or can be read.
    """
    for keyword in ("PixelAspectRatio", *_ASPECT):
        try:
            vertical, horizontal = (float(value) for value in dataset.get(keyword) or ())
        except (TypeError, ValueError):
            continue
        if 1e-3 < vertical < 1e6 and 1e-3 < horizontal < 1e6:
            return vertical / horizontal
    return 1.0
