"""How many parts a data set may have. Eight bytes make an element or an item; as an object it takes pydicom a hundred
times as much memory, and its interpreter's time: 64 MiB of empty items would be minutes and gigabytes.

What is read at once (elements, sequences of undefined length) is counted as it is read. What pydicom leaves as bytes
until somebody looks (sequences of a stated length, lists of numbers) is bounded by its length.
"""

from __future__ import annotations

import io

from pydicom import Dataset
from pydicom.datadict import dictionary_VR
from pydicom.dataelem import RawDataElement
from pydicom.tag import Tag

from zoo import errors
from zoo.errors import Reason

MOST_READS = 200_000  # pydicom reads two or three times an element, and an ordinary file has a few hundred
LONGEST_SEQUENCE = 512 << 10  # for each frame; a look-up table of 16 bits takes 128 KiB
FRAMES = Tag("PerFrameFunctionalGroupsSequence")
LONGEST_VALUE = 256 << 10  # of text or numbers; what is bulk data is not converted


class Bounded(io.BytesIO):
    """A file that may be read from only so many times."""

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        self._left = MOST_READS

    def read(self, size: int | None = -1, /) -> bytes:
        """As io.BytesIO.

        Raises:
            BadImage: it has been read from too often.
        """
        self._left -= 1
        if self._left < 0:
            raise _too_much("elements and items without number")
        return super().read(size)


def check(dataset: Dataset) -> None:
    """Returns if nothing in a data set is longer than one picture needs, whatever VR it is said to have.

    Private elements are not looked at, here or anywhere; the groups of all frames not yet, see `check_frames`.

    Raises:
        BadImage: a sequence, or a value of text or numbers, is.
    """
    tags = dataset.keys()  # going through the data set itself would convert every value
    for tag in tags:
        element = dataset.get_item(tag)
        if tag.is_private or tag == FRAMES or element is None:
            continue
        if isinstance(element, RawDataElement):
            _check_length(element)
        elif element.VR == "SQ":
            for item in element.value:
                check(item)


def check_frames(dataset: Dataset, frames: int) -> None:
    """The same of the functional groups of so many frames (PS3.3 C.7.6.16).

    Raises:
        BadImage: they are longer.
    """
    element = dataset.get_item(FRAMES) if FRAMES in dataset else None
    if isinstance(element, RawDataElement) and len(element.value or b"") > frames * LONGEST_SEQUENCE:
        raise _too_much("a sequence without end")


def _check_length(element: RawDataElement) -> None:
    length = len(element.value or b"")
    if length <= LONGEST_VALUE:
        return
    vr = element.VR if element.VR not in (None, "UN") else _by_dictionary(element)
    if vr == "SQ" and length > LONGEST_SEQUENCE:
        raise _too_much("a sequence without end")
    if vr not in ("SQ", "UN") and not vr.startswith("O") and "OW" not in vr:
        raise _too_much("a value of very great length")


def _by_dictionary(element: RawDataElement) -> str:
    """What pydicom will take it for."""
    try:
        return dictionary_VR(element.tag)
    except KeyError:
        return "UN"


def _too_much(what: str) -> errors.BadImage:
    return errors.BadImage(
        f"The DICOM file has {what}; no picture needs as much. Send one image, as its source has made it.",
        Reason.TOO_LARGE,
    )
