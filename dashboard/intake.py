"""Files to studies: single pictures, series, and archives, which are read in bounds and never unpacked to disk."""

from __future__ import annotations

import hashlib
import io
import secrets
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from datetime import datetime

from pydicom import Dataset

from dashboard.i18n import _
from dashboard.studies import Scan, Study
from dashboard.viewer import orientation
from zoo import errors
from zoo.errors import Reason
from zoo.imaging.dicom import parsing
from zoo.imaging.image import MAX_BYTES, MAX_PIXELS

SALT = secrets.token_bytes(16)  # of this process; patients are told apart by it and not named
MOST_FILES = 1000
MOST_BYTES = 500 << 20
ARCHIVE = b"PK\x03\x04"
TAGS = [
    *("StudyInstanceUID", "SeriesInstanceUID", "InstanceNumber", "ImagePositionPatient", "ImageOrientationPatient"),
    *("PatientID", "IssuerOfPatientID", "StudyDate", "StudyTime"),
]


def studies(files: Iterable[bytes]) -> list[Study]:
    """What files hold, in their order; the slices of one series, from whichever files, are one study.

    An archive that breaks a bound is one study with its refusal; so is a file in it that is no picture.
    """
    series: dict[str, list[Scan]] = {}
    opened: list[Study | list[Scan]] = []
    for read in _expanded(files):
        if isinstance(read, Study):
            opened.append(read)
            continue
        held = scan(read)
        if held.series_uid in series:
            series[held.series_uid].append(held)
            continue
        begun = [held]
        opened.append(begun)
        if held.series_uid:
            series[held.series_uid] = begun
    return [each if isinstance(each, Study) else _study(each) for each in opened]


def _study(scans: list[Scan]) -> Study:
    if len(scans) == 1:
        return Study(title=_("Uploaded picture"), scans=tuple(scans))
    ordered = tuple(sorted(scans, key=lambda scan: scan.place))
    return Study(
        title=_("Uploaded series, {count} slices").format(count=len(ordered)), scans=ordered, asked=len(ordered) // 2
    )


def _expanded(files: Iterable[bytes]) -> Iterator[bytes | Study]:
    for data in files:
        if not data.startswith(ARCHIVE):
            yield data
            continue
        try:
            yield from _unpacked(data)
        except errors.BadImage as error:
            yield Study(title=_("Uploaded archive"), scans=(Scan(data=b""),), refusal=error)


def _unpacked(data: bytes) -> list[bytes]:
    """The files of an archive, directories and hidden files left out.

    Raises:
        BadImage: damaged, encrypted, empty, or too much.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            entries = [each for each in archive.infolist() if not each.is_dir() and not _hidden(each.filename)]
            _check(entries)
            return _contents(archive, entries)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, OSError):
        raise errors.BadImage(
            "The archive is damaged, encrypted or packed in an unusual way. Pack it again as an ordinary zip.",
            Reason.DAMAGED,
        ) from None


def _check(entries: list[zipfile.ZipInfo]) -> None:
    if not entries:
        raise errors.BadImage("The archive has no file in it. Pack the pictures and send it again.", Reason.EMPTY)
    if len(entries) > MOST_FILES:
        raise errors.BadImage(
            f"The archive has {len(entries)} files; at most {MOST_FILES} are read. Send one series at a time.",
            Reason.TOO_LARGE,
        )


def _contents(archive: zipfile.ZipFile, entries: list[zipfile.ZipInfo]) -> list[bytes]:
    """What is in the entries, counted while it is unpacked: what an archive says of its sizes may be untrue."""
    contents, left = [], MOST_BYTES
    for entry in entries:
        with archive.open(entry) as packed:
            contents.append(packed.read(min(MAX_BYTES, left) + 1))
        left -= len(contents[-1])
        if left < 0 or len(contents[-1]) > MAX_BYTES:
            raise errors.BadImage(
                f"The archive unpacks to more than {MOST_BYTES >> 20} MiB, or a file in it to more than "
                f"{MAX_BYTES >> 20} MiB. Send less at a time.",
                Reason.TOO_LARGE,
            )
    return contents


def _hidden(name: str) -> bool:
    """What systems add to archives by themselves; the names are used for nothing else."""
    parts = name.replace("\\", "/").split("/")
    return parts[0] == "__MACOSX" or parts[-1].startswith(".") or parts[-1] == "DICOMDIR"


def scan(data: bytes) -> Scan:
    """A file with what a DICOM header says of its place; nothing is decoded."""
    header = _header(data)
    if header is None:
        return Scan(data=data)
    try:
        place = orientation.order(header)
    except (TypeError, ValueError):
        place = (0.0, 0.0)
    return Scan(
        data=data,
        study_uid=str(header.get("StudyInstanceUID") or ""),
        series_uid=str(header.get("SeriesInstanceUID") or ""),
        place=place,
        patient=_patient(header),
        taken=_taken(header),
    )


def _patient(header: Dataset) -> str:
    """Tells patients apart without naming them; empty where the file names none."""
    named = str(header.get("PatientID") or "").strip()
    said = f"{header.get('IssuerOfPatientID') or ''}\\{named}".encode()
    return hashlib.blake2b(said, key=SALT).hexdigest() if named else ""


def _taken(header: Dataset) -> datetime | None:
    said = f"{header.get('StudyDate') or ''}{str(header.get('StudyTime') or '')[:4].ljust(4, '0')}"
    try:
        return datetime.strptime(said, "%Y%m%d%H%M")
    except ValueError:
        return None


def _header(data: bytes) -> Dataset | None:
    if data[128:132] != b"DICM":
        return None
    try:
        return parsing.header(data, TAGS, MAX_PIXELS)
    except errors.BadImage:  # the picture's own reader says what is wrong
        return None
