"""A DICOM file to the picture a reading room would show. Each rule names its section of PS3.3 or PS3.5.

parsing     bytes -> data set, bounded before memory is spent; what must hold before a pixel is decoded
bounds      how many parts a data set may have
decoding    data set -> stored values, any transfer syntax that a plugin free of the GPL can read
codestream  the size a compressed frame says it has
jpeg2000    how finely a JPEG 2000 frame says it is divided
apart       decoding in another process, where a decoder might end it
extended    JPEG Extended with 12 bits, which pydicom leaves out
groups      what an enhanced object says of one frame, in one place with what it says of all
shutter     which pixels the picture shows
windows     the window functions
grey        stored values -> brightness
colour      stored values -> RGB
"""

from __future__ import annotations

import logging
import warnings

from pydicom import Dataset, config

from zoo.imaging.dicom import colour, decoding, grey, groups, parsing, shutter
from zoo.imaging.dicom.windows import window
from zoo.imaging.image import Image

__all__ = ["read", "window"]

# pydicom warns of odd values by quoting them; a value may be a patient's.
config.settings.reading_validation_mode = config.IGNORE
logging.getLogger("pydicom").setLevel(logging.CRITICAL)
warnings.filterwarnings("ignore", module=r"pydicom\.")


def read(data: bytes, *, max_pixels: int, frame: int | None = None) -> Image:
    """One frame of a DICOM file, as displayed.

    The chain of PS3.4 section N.2: stored values, modality LUT (PS3.3 C.11.1), VOI LUT or window (C.11.2),
    polarity (C.7.6.3.1.2, C.11.6), display shutter (C.7.6.11), to 0..255 with 0 black. Where the file has no
    window, the 0.5th to the 99.5th percentile of the values inside shutter and collimator is shown.

    Args:
        data: the whole file, with its preamble.
        max_pixels: larger pictures are refused before their pixels are decoded.
        frame: which, from 1; None reads the one frame there is.

    Raises:
        BadImage: damaged, no pixel data, several frames and none named, no such frame, an unreadable transfer
            syntax or an unknown photometric interpretation. No message quotes a value that could be a patient's.
    """
    dataset = parsing.parse(data, max_pixels)
    number = parsing.check(dataset, max_pixels, frame)
    shown_by = groups.of_frame(dataset, number)
    stored = decoding.decode(dataset, number)
    if shown_by.PhotometricInterpretation in parsing.GREY:
        pixels = grey.displayed(stored, shown_by)
    else:
        pixels = colour.displayed(stored, shown_by)
    return Image(
        pixels=shutter.shut(pixels, shown_by),
        format="DICOM",
        modality=_text(dataset, "Modality"),
        body_part=_text(dataset, "BodyPartExamined"),
        view=_text(dataset, "ViewPosition"),
        bits=int(dataset.BitsStored),
        pixel_aspect=groups.pixel_aspect(shown_by),
        burned_in={"YES": True, "NO": False}.get(_text(dataset, "BurnedInAnnotation")),
    )


def _text(dataset: Dataset, keyword: str) -> str:
    return str(dataset.get(keyword) or "").strip()
