"""De-identified copies: the Basic Application Level Confidentiality Profile of PS3.15, annex E.

Table E.1-1 is that of 2026c, as dicom-anonymizer carries it; it is applied here to every item of every sequence, which
the profile asks for (E.1.1) and dicom-anonymizer's own pass does not do. Where the table leaves a choice between
removing and replacing (X/D, say), the attribute stays with a dummy value, so that the object remains one of its class.

Beyond the table go: every name, date, time, free text, URL and AE title that it does not list; what pydicom's
dictionary does not know; and every UID that is not the standard's own is replaced.

Not looked at are the pixels (E.3.1, Clean Pixel Data): who says that a name is burnt into them is refused. Labels that
a JPEG's own header may hold stay there.
"""

from __future__ import annotations

import hashlib
import hmac
import io
import os
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path

from dicomanonymizer.dicomfields_selector import dicom_anonymization_database_selector as table_of
from pydicom import DataElement, Dataset, FileMetaDataset, dcmwrite
from pydicom.datadict import dictionary_has_tag
from pydicom.multival import MultiValue
from pydicom.sr.codedict import codes
from pydicom.tag import BaseTag

from zoo import errors
from zoo.imaging.dicom import parsing
from zoo.imaging.image import MAX_PIXELS

SECRET_BYTES = 32
METHOD = "Kerascope, PS3.15 2026c E.2, Basic Profile"
STANDARDS_OWN = "1.2.840.10008."  # PS3.5 section 9: a class or a transfer syntax says nothing of anybody
_EDITION = "dicomfields_2026c"
_ACTIONS = {"D_TAGS": "D", "Z_TAGS": "Z", "X_TAGS": "X", "U_TAGS": "U"}
_ACTIONS |= {"Z_D_TAGS": "D", "X_Z_TAGS": "Z", "X_D_TAGS": "D", "X_Z_D_TAGS": "D", "X_Z_U_STAR_TAGS": "U"}
# Where the table says nothing, by the kind of value (PS3.5 section 6.2): these tell of people, places and times.
_TELLING = frozenset({"PN", "DA", "DT", "TM", "AS", "LT", "ST", "UT", "UC", "UR", "AE", "UN"})
_DUMMIES = {
    "AE": "REMOVED",
    "AS": "000Y",
    "CS": "REMOVED",
    "DA": "00010101",
    "DT": "00010101000000",
    "TM": "000000",
    "DS": "0",
    "IS": "0",
    "UR": "about:blank",
} | dict.fromkeys(("LO", "LT", "PN", "SH", "ST", "UC", "UT"), "Removed")
_NUMBERS = ("FD", "FL", "SL", "SS", "SV", "UL", "US", "UV")
_GROUP_LENGTH, _PATIENT_ID, _ISSUER = 0x0000, "PatientID", "IssuerOfPatientID"


class Deidentifier:
    """Makes copies by one secret: the same UID becomes the same new one in every file, and so does a patient.

    Args:
        secret: 32 bytes at least. Who has it can tell whether a copy is of a given original.
    """

    def __init__(self, secret: bytes) -> None:
        if len(secret) < SECRET_BYTES:
            raise errors.BadConfig(
                f"The secret that new UIDs are made with has {len(secret)} bytes, and needs {SECRET_BYTES}. Make one "
                "with `head -c 32 /dev/urandom`."
            )
        self._secret = secret

    @classmethod
    def by_file(cls, path: Path) -> Deidentifier:
        """By the secret of a file; one that is not there is made, for its owner alone.

        Raises:
            BadConfig: it can neither be read nor made, or is too short.
        """
        try:
            if not path.exists():
                _make_secret(path)
            return cls(path.read_bytes())
        except OSError as error:
            raise errors.BadConfig(f"The secret {path} cannot be used: {error.strerror}. Name another file.") from None

    def copy(self, data: bytes) -> bytes:
        """The de-identified copy of a DICOM file.

        Raises:
            BadImage: it is no DICOM file, damaged, or says that a name is burnt into its pixels.
        """
        if data[128:132] != b"DICM":
            raise errors.BadImage("The file is no DICOM file (PS3.10 section 7.1).", errors.Reason.NOT_AN_IMAGE)
        dataset = parsing.parse(data, MAX_PIXELS)
        try:
            return self._written(dataset)
        except errors.BadImage:
            raise
        except Exception:  # pydicom raises a dozen kinds here, and their texts may quote the file
            raise parsing.damaged("an attribute cannot be read or written (PS3.5 section 7)") from None

    def uid(self, original: str) -> str:
        """The UID that stands for another: 2.25 and a UUID (PS3.5 section B.2), version 8 (RFC 9562), of the
        HMAC-SHA256 of the original. The standard's own stay as they are.
        """
        if original.startswith(STANDARDS_OWN) or not original:
            return original
        number = int.from_bytes(self._digest("uid", original)[:16], "big")
        number = number & ~(0xF << 76) | 0x8 << 76
        return f"2.25.{number & ~(0x3 << 62) | 0x2 << 62}"

    def patient(self, original: str, issuer: str = "") -> str:
        """The identifier that stands for a patient's, so that images of one patient stay together."""
        return self._digest("patient", issuer, original).hex()[:16].upper() if original else ""

    def _written(self, dataset: Dataset) -> bytes:
        if str(dataset.get("BurnedInAnnotation", "")).strip().upper() == "YES":
            raise errors.BadImage(
                "(0028,0301) Burned In Annotation is YES: a name may stand in the pixels, which are not looked at. "
                "Blacken it with another tool and say NO.",
                errors.Reason.UNSUPPORTED_PIXELS,
            )
        patient = self.patient(_plain(dataset, _PATIENT_ID), _plain(dataset, _ISSUER))
        syntax = dataset.file_meta.TransferSyntaxUID
        self._clean(dataset)
        dataset.PatientID = patient
        _say_so(dataset)
        dataset.file_meta = FileMetaDataset()
        dataset.file_meta.TransferSyntaxUID = syntax
        dataset.preamble = bytes(128)
        file = io.BytesIO()
        dcmwrite(file, dataset, enforce_file_format=True)
        return file.getvalue()

    def _clean(self, dataset: Dataset) -> None:
        for tag in list(dataset.keys()):
            action = action_for(tag)
            if action == "X":
                del dataset[tag]
                continue
            element = dataset[tag]
            if action == "" and element.VR in _TELLING:
                del dataset[tag]
            elif element.VR == "SQ":
                self._clean_items(element, action)
            elif element.VR == "UI":
                element.value = _each(element.value, self.uid)
            elif action in ("Z", "D"):
                element.value = None if action == "Z" else _dummy(element)

    def _clean_items(self, element: DataElement, action: str) -> None:
        """A sequence: emptied (Z), every value of its first item a dummy (D), or each item cleaned."""
        if action in ("Z", "D"):
            element.value = [] if action == "Z" else element.value[:1]
        for item in element.value:
            self._clean(item)
            if action == "D":
                _blank(item)

    def _digest(self, *words: str) -> bytes:
        return hmac.new(self._secret, "\0".join(words).encode(), hashlib.sha256).digest()


def _make_secret(path: Path) -> None:
    """Whole from the moment it is there, and the first one where two processes make one at once."""
    hidden = path.with_name(f".{path.name}-{os.urandom(4).hex()}")
    with open(os.open(hidden, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(os.urandom(SECRET_BYTES))
    with suppress(FileExistsError):
        os.link(hidden, path)
    hidden.unlink()


def action_for(tag: BaseTag) -> str:
    """D, Z, X or U by table E.1-1; empty for an attribute that it does not list and the standard knows."""
    if tag.is_private or tag.element == _GROUP_LENGTH or (not dictionary_has_tag(tag) and not _repeats(tag)):
        return "X"
    listed, masked = _table()
    if tag in listed:
        return listed[tag]
    return next((action for pattern, action in masked if _fits(tag, pattern)), "")


@cache
def _table() -> tuple[dict[int, str], list[tuple[tuple[int, ...], str]]]:
    """By tag; and for groups that repeat (60xx, say) by group, element, and the bits that count of each."""
    listed: dict[int, str] = {}
    masked: list[tuple[tuple[int, ...], str]] = []
    for name, tags in table_of(_EDITION).items():
        for tag in tags if name in _ACTIONS else ():
            if len(tag) == 2:
                listed[tag[0] << 16 | tag[1]] = _ACTIONS[name]
            else:
                masked.append((tag, _ACTIONS[name]))
    return listed, masked


def _fits(tag: BaseTag, pattern: tuple[int, ...]) -> bool:
    group, element, groups, elements = pattern
    return tag.group & groups == group & groups and tag.element & elements == element & elements


def _repeats(tag: BaseTag) -> bool:
    """Overlays and curves, in groups that repeat (PS3.5 section 7.6)."""
    return tag.group & 0xFF00 in (0x5000, 0x6000)


def _each(value: object, change: Callable[[str], str]) -> object:
    if isinstance(value, (MultiValue, list)):
        return [change(str(each)) for each in value]
    return change(str(value or ""))


def _dummy(element: DataElement) -> object:
    """A value of the kind that the attribute wants, which says nothing (PS3.15 E.1.1, D)."""
    if element.VR in _DUMMIES:
        return _DUMMIES[element.VR]
    return 0 if element.VR in _NUMBERS else b"\0\0"


def _blank(item: Dataset) -> None:
    """Makes a dummy of every value but the standard's own UIDs, which were cleaned before."""
    for element in item:
        if element.VR == "SQ":
            element.value = element.value[:1]
            for inner in element.value:
                _blank(inner)
        elif element.VR != "UI":
            element.value = _dummy(element)


def _plain(dataset: Dataset, keyword: str) -> str:
    return str(dataset.get(keyword) or "").strip()


def _say_so(dataset: Dataset) -> None:
    """What the profile has a de-identified object say of itself (PS3.15 E.1.1 and E.2)."""
    dataset.PatientIdentityRemoved = "YES"
    dataset.DeidentificationMethod = METHOD
    code = codes.DCM.BasicApplicationConfidentialityProfile
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = code.value, code.scheme_designator, code.meaning
    dataset.DeidentificationMethodCodeSequence = [item]
    dataset.LongitudinalTemporalInformationModified = "REMOVED"
