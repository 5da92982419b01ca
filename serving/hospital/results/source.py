"""The image that was analysed, as the objects made of it must name it: patient, study, image, geometry."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping
from dataclasses import dataclass

from pydicom import Dataset, dcmread
from pydicom.multival import MultiValue
from pydicom.uid import UID

from zoo import errors
from zoo.errors import Reason

UTF_8 = "ISO_IR 192"

# A result inherits these from its image (PS3.3 C.7.1.1, C.7.2.1, C.7.3.1); type 2 ones are empty where unknown.
_INHERITED = (
    *("PatientName", "PatientID", "IssuerOfPatientID", "PatientBirthDate", "PatientSex"),
    *("StudyDate", "StudyTime", "ReferringPhysicianName", "StudyID", "AccessionNumber", "StudyDescription"),
    "Laterality",
)
_NAMES = ("PatientName", "ReferringPhysicianName")
_MAY_BE_ABSENT = ("IssuerOfPatientID", "StudyDescription")
_REQUIRED = ("SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID")
_OF_THE_IMAGE = (
    *("Modality", "Rows", "Columns", "PatientOrientation", "BurnedInAnnotation", "RecognizableVisualFeatures"),
    *("FrameOfReferenceUID", "PositionReferenceIndicator", "PixelSpacing", "ImagerPixelSpacing"),
    *("ImagePositionPatient", "ImageOrientationPatient", "SliceThickness"),
)
_VALID = {
    "PatientBirthDate": re.compile(r"\d{8}"),
    "StudyDate": re.compile(r"\d{8}"),
    "StudyTime": re.compile(r"([01]\d|2[0-3])([0-5]\d([0-5]\d(\.\d{1,6})?)?)?"),
    "PatientSex": re.compile(r"[MFO]"),
    "Laterality": re.compile(r"[LR]"),
}
_LONGEST = {"StudyID": 16, "AccessionNumber": 16}


@dataclass(frozen=True)
class Source:
    """What an image says of itself, without its pixels.

    Attributes:
        dataset: the attributes a result inherits or refers to, every text as UTF-8 can write it; a value that the
            standard does not allow (a birth date that is no date, say) is left empty. Names are empty, too: highdicom
            warns of an odd name by quoting it, so that it is given none.
        names: PatientName and ReferringPhysicianName, for an object that is whole.
    """

    dataset: Dataset
    names: Mapping[str, str]

    @property
    def has_geometry(self) -> bool:
        """Whether the image lies at a known place in the patient (PS3.3 C.7.6.2, Image Plane)."""
        ds = self.dataset
        counts = {"ImagePositionPatient": 3, "ImageOrientationPatient": 6, "PixelSpacing": 2}
        return bool(ds.get("FrameOfReferenceUID")) and all(len(ds.get(k) or ()) == n for k, n in counts.items())


def read(data: bytes) -> Source:
    """The source of a DICOM file.

    Args:
        data: the whole file.

    Raises:
        BadRequest: a PNG or JPEG, which belongs to no study that a DICOM object could be filed under.
        BadImage: the file cannot be parsed, or lacks one of the identifiers a result must refer to.
    """
    if data[128:132] != b"DICM":
        raise errors.BadRequest(
            "The picture is no DICOM file, so that there is no patient and no study to file a DICOM object under. "
            "Send the DICOM image, or ask for the PDF or FHIR report."
        )
    try:
        whole = dcmread(io.BytesIO(data), stop_before_pixels=True)
        found = {keyword: whole.get(keyword) for keyword in (*_REQUIRED, *_INHERITED, *_OF_THE_IMAGE)}
    except Exception:  # pydicom raises a dozen kinds here, and their texts may quote the file
        raise errors.BadImage("The DICOM file's attributes cannot be read. Send it again.", Reason.DAMAGED) from None
    missing = [keyword for keyword in _REQUIRED if not UID(str(found[keyword] or "")).is_valid or not found[keyword]]
    if missing:
        raise errors.BadImage(
            f"The DICOM file has no valid {', '.join(missing)}, which a result must refer to (PS3.3 C.12.1 and C.7). "
            "Send the image as its PACS holds it.",
            Reason.DAMAGED,
        )
    names = {keyword: _text(found[keyword]) for keyword in _NAMES}
    return Source(_clean(found | dict.fromkeys(_NAMES)), names)


def _clean(found: dict[str, object]) -> Dataset:
    ds = Dataset()
    ds.SpecificCharacterSet = UTF_8
    for keyword in _REQUIRED:
        setattr(ds, keyword, str(found[keyword]))
    for keyword in _INHERITED:
        text = _text(found[keyword])
        valid = keyword not in _VALID or bool(_VALID[keyword].fullmatch(text))
        text = text if valid and len(text) <= _LONGEST.get(keyword, 64 * 5) else ""
        if text or keyword not in _MAY_BE_ABSENT:
            setattr(ds, keyword, text)
    for keyword in _OF_THE_IMAGE:
        if (value := found[keyword]) not in (None, ""):
            setattr(ds, keyword, value)
    return ds


def _text(value: object) -> str:
    """One line of text: the first of several values, without control characters."""
    if isinstance(value, MultiValue):
        value = value[0] if len(value) else ""
    return re.sub(r"[\x00-\x1f\x7f\\]", " ", str(value or "")).strip()
