"""What a DICOM file says of itself that decides where it goes. Nothing of the patient is read."""

from __future__ import annotations

import re
from dataclasses import dataclass

from pydicom import Dataset

from zoo.imaging.dicom import parsing  # keeps pydicom from warning of odd values, which it quotes
from zoo.imaging.image import MAX_PIXELS

TAGS = (
    "SOPClassUID",
    "SOPInstanceUID",
    "StudyInstanceUID",
    "SeriesInstanceUID",
    "Modality",
    "BodyPartExamined",
    "ViewPosition",
    "StudyDescription",
    "SeriesDescription",
    "ProtocolName",
)
_UID = re.compile(r"(0|[1-9]\d*)(\.(0|[1-9]\d*))*")


@dataclass(frozen=True, kw_only=True)
class Header:
    """Each empty where the file does not say.

    Attributes:
        study_uid, instance_uid, sop_class_uid: UIDs of PS3.5 section 9.1; one that breaks its rules counts as none.
        modality: (0008,0060), in capitals.
        body_part: (0018,0015), in capitals.
        view: (0018,5101), in capitals.
        transfer_syntax: (0002,0010) of the file meta information; none where a data set came without.
        description: study and series description and protocol name, a line each; for rules, and kept nowhere.
    """

    study_uid: str = ""
    instance_uid: str = ""
    sop_class_uid: str = ""
    transfer_syntax: str = ""
    modality: str = ""
    body_part: str = ""
    view: str = ""
    description: str = ""


def read(data: bytes, *, max_pixels: int = MAX_PIXELS) -> Header:
    """The header of a DICOM file; an empty one for anything else, and for a deflated file that would inflate to more
    than a picture of so many pixels.
    """
    if data[128:132] != b"DICM":
        return Header()
    try:
        dataset = parsing.header(data, TAGS, max_pixels)
        return of(dataset, _text(dataset.file_meta, "TransferSyntaxUID"))
    except Exception:  # pydicom raises a dozen kinds; whoever reads the pixels says what is wrong with the file
        return Header()


def of(dataset: Dataset, transfer_syntax: str = "") -> Header:
    """The header of a data set."""
    descriptions = (_text(dataset, name) for name in ("StudyDescription", "SeriesDescription", "ProtocolName"))
    return Header(
        study_uid=_uid(dataset, "StudyInstanceUID"),
        instance_uid=_uid(dataset, "SOPInstanceUID"),
        sop_class_uid=_uid(dataset, "SOPClassUID"),
        transfer_syntax=transfer_syntax,
        modality=_text(dataset, "Modality").upper(),
        body_part=_text(dataset, "BodyPartExamined").upper(),
        view=_text(dataset, "ViewPosition").upper(),
        description="\n".join(text for text in descriptions if text),
    )


def _text(dataset: Dataset, keyword: str) -> str:
    value = dataset.get(keyword)
    return "" if value is None else str(value).strip().replace("\x00", "")


def is_uid(text: str) -> bool:
    """Whether it is a UID: at most 64 characters of digits and dots (PS3.5 section 9.1)."""
    return len(text) <= 64 and _UID.fullmatch(text) is not None


def _uid(dataset: Dataset, keyword: str) -> str:
    text = _text(dataset, keyword)
    return text if is_uid(text) else ""
