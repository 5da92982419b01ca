"""De-identified copies: what was planted is looked for in the bytes, and what the standard wants in the rest."""

from __future__ import annotations

import io
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pydicom
import pytest
from dicomanonymizer.dicomfields_selector import dicom_anonymization_database_selector as table_of
from pydicom import DataElement, Dataset, dcmread
from pydicom.datadict import dictionary_has_tag, dictionary_VR
from pydicom.tag import Tag
from pydicom.uid import generate_uid
from typer.testing import CliRunner

from kerascope import app
from serving.hospital.deidentify import Deidentifier, action_for
from tests.serving.conftest import dicom, scene
from tests.serving.hospital.peers import program
from zoo import errors
from zoo.imaging.image import read

SECRET = bytes(range(32))
NAME, DATE, UID = "DOE^JANE", "19700102", "1.2.3.4.19700102.7"
PLANTED = (b"DOE", b"JANE", b"19700102", b"1.2.3.4", b"ZORRO")
TEXTS = {"AE": "ZORRO", "AS": "054Y", "CS": "ZORRO", "DA": DATE, "DT": f"{DATE}101112", "TM": "101112.19700102"}
TEXTS |= {"DS": "19700102", "IS": "19700102", "UI": UID, "UR": "http://ZORRO"}
WORDS = ("LO", "LT", "PN", "SH", "ST", "UC", "UT")
RADIOGRAPH = {
    "StudyInstanceUID": f"{UID}.1",
    "SeriesInstanceUID": f"{UID}.2",
    "SOPInstanceUID": f"{UID}.3",
    "Manufacturer": "Makers",
}


def planted_in(vr: str) -> object:
    """Something of the patient, of a kind; None where no text has room."""
    if vr in ("OB", "UN"):
        return b"DOE^JANE"
    return "DOE^JANE" if vr in WORDS else TEXTS.get(vr)


def attributes(depth: int = 1) -> Iterator[DataElement]:
    """Every attribute of table E.1-1, each with something of the patient; each sequence holds all of them again."""
    for tag in table_of("dicomfields_2026c")["ALL_TAGS"]:
        named = Tag(tag[:2])
        if tag[0] in (0x0000, 0x0002) or not dictionary_has_tag(named):
            continue
        vr = dictionary_VR(named).split(" ")[0]
        if vr == "SQ" and depth:
            yield DataElement(named, vr, [item(depth - 1)])
        elif (value := planted_in(vr)) is not None:
            yield DataElement(named, vr, value)


def item(depth: int) -> Dataset:
    dataset = Dataset()
    for element in attributes(depth):
        dataset.add(element)
    return plant_besides(dataset)


def plant_besides(dataset: Dataset) -> Dataset:
    """What the table does not list: private, unknown and repeating attributes, and other texts, names and dates."""
    private = dataset.private_block(0x0011, "ZORRO'S OWN", create=True)
    private.add_new(0x01, "LO", NAME)
    private.add_new(0x02, "SQ", [dataset_of(PatientName=NAME)])
    dataset.add_new((0x0010, 0x9999), "LO", NAME)  # no attribute of the standard's
    dataset.add_new((0x6000, 0x4000), "LT", NAME)
    dataset.add_new((0x6002, 0x3000), "OB", b"DOE^JANE")
    dataset.add_new((0x5002, 0x2600), "PN", NAME)
    dataset.add_new((0x0018, 0x1400), "UN", b"DOE^JANE")
    dataset.MultiFrameSourceSOPInstanceUID = UID
    dataset.PixelDataProviderURL = "http://ZORRO"
    return dataset


def dataset_of(**values: object) -> Dataset:
    dataset = Dataset()
    for keyword, value in values.items():
        setattr(dataset, keyword, value)
    return dataset


def written(dataset: Dataset) -> bytes:
    file = io.BytesIO()
    dataset.save_as(file, enforce_file_format=True)
    return file.getvalue()


def full_of_names() -> bytes:
    """A radiograph with something of the patient wherever it may stand."""
    dataset = dcmread(io.BytesIO(dicom(scene(), **RADIOGRAPH)))
    for element in attributes():
        if element.keyword not in RADIOGRAPH:
            dataset.add(element)
    plant_besides(dataset)
    nested = dataset_of(PatientName=NAME, StudyDate=DATE, ReferencedSOPInstanceUID=UID, ImageComments=NAME)
    dataset.AnatomicRegionSequence = [dataset_of(CodeValue="1", AnatomicRegionModifierSequence=[plant_besides(nested)])]
    dataset.preamble = b"DOE^JANE" * 16
    dataset.file_meta.SourceApplicationEntityTitle = "ZORRO"
    return written(dataset)


def test_nothing_of_the_patient_is_left_in_the_bytes_wherever_it_was_planted():
    original = full_of_names()
    assert all(word in original for word in PLANTED)
    copy = Deidentifier(SECRET).copy(original)
    assert not [word for word in PLANTED if word in copy]


def test_a_copy_says_what_was_done_to_it_and_shows_the_same_picture():
    original = full_of_names()
    copy = Deidentifier(SECRET).copy(original)
    said = dcmread(io.BytesIO(copy))
    assert said.PatientIdentityRemoved == "YES"
    assert (said.DeidentificationMethodCodeSequence[0].CodeValue, said.LongitudinalTemporalInformationModified) == (
        "113100",
        "REMOVED",
    )
    assert (said.Modality, said.Manufacturer, said.PatientName) == ("CR", "Makers", "")
    assert said.AnatomicRegionSequence[0].CodeValue == "1"
    np.testing.assert_array_equal(read(copy).pixels, read(original).pixels)


def test_the_same_uid_and_the_same_patient_become_the_same_in_every_file_and_another_under_another_secret():
    first = copied(StudyInstanceUID="1.2.3", SOPInstanceUID="1.2.3.1")
    second = copied(StudyInstanceUID="1.2.3", SOPInstanceUID="1.2.3.2", ReferencedSOPInstanceUID="1.2.3.1")
    other = dcmread(io.BytesIO(Deidentifier(bytes(32)).copy(dicom(scene(), StudyInstanceUID="1.2.3"))))
    assert first.StudyInstanceUID == second.StudyInstanceUID != other.StudyInstanceUID
    assert first.SOPInstanceUID == first.file_meta.MediaStorageSOPInstanceUID != second.SOPInstanceUID
    assert second.ReferencedSOPInstanceUID == first.SOPInstanceUID
    assert first.PatientID == second.PatientID != other.PatientID
    assert copied(PatientID="SECRET-2").PatientID != first.PatientID
    assert first.SOPClassUID == "1.2.840.10008.5.1.4.1.1.1"  # the standard's own


def copied(**attributes: object) -> Dataset:
    return dcmread(io.BytesIO(Deidentifier(SECRET).copy(dicom(scene(), **attributes))))


def test_a_new_uid_is_the_one_worked_out_by_hand():
    # printf 'uid\0001.2.3' | openssl dgst -sha256 -mac HMAC -macopt hexkey:000102..1f begins with
    # f327c820c0f135c32ff671c51d701a74; its 13th digit 3 becomes the version, 8, and the first two bits of the 17th, 2,
    # become 10: f327c820-c0f1-85c3-aff6-71c51d701a74, a UUID, as a decimal number.
    assert Deidentifier(SECRET).uid("1.2.3") == "2.25.323208961630152450876443539203389659764"


@pytest.mark.parametrize(
    ("tag", "action"),
    [
        ((0x0010, 0x0010), "Z"),  # Patient's Name
        ((0x0010, 0x0020), "D"),  # Patient ID: Z/D
        ((0x0008, 0x0018), "U"),  # SOP Instance UID
        ((0x0008, 0x2112), "U"),  # Source Image Sequence: X/Z/U*
        ((0x0018, 0x1030), "D"),  # Protocol Name: X/D
        ((0x0010, 0x4000), "X"),  # Patient Comments
        ((0x6012, 0x3000), "X"),  # Overlay Data
        ((0x5004, 0x0010), "X"),  # a curve
        ((0x0009, 0x0010), "X"),  # private
        ((0x6001, 0x1010), "X"),  # private, where overlays would be were it even
        ((0x0028, 0x0010), ""),  # Rows
        ((0x6012, 0x0010), ""),  # an overlay's rows
    ],
)
def test_an_attribute_is_treated_as_table_e_1_1_has_it(tag: tuple[int, int], action: str):
    assert action_for(Tag(tag)) == action


def test_pydicoms_own_files_keep_their_pixels_and_lose_their_names():
    folder = Path(pydicom.__file__).parent / "data" / "test_files"
    copied = [each for path in sorted(folder.glob("*.dcm")) if (each := before_and_after(path.read_bytes()))]
    assert len(copied) > 50
    for before, data in copied:
        after = dcmread(io.BytesIO(data))
        assert before.get("PixelData") == after.get("PixelData")
        for keyword in ("PatientName", "PatientID", "StudyInstanceUID", "SOPInstanceUID"):
            was = str(before.get(keyword) or "").encode()
            assert len(was) < 6 or was not in data


def before_and_after(data: bytes) -> tuple[Dataset, bytes] | None:
    """A file and its copy; None for what names no instance, or is deflated and would be compared with its like."""
    try:
        copy = Deidentifier(SECRET).copy(data)
    except errors.BadImage:
        return None
    before, after = dcmread(io.BytesIO(data)), dcmread(io.BytesIO(copy))
    return (before, copy) if before.file_meta.TransferSyntaxUID == after.file_meta.TransferSyntaxUID else None


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"no DICOM" * 40, errors.Reason.NOT_AN_IMAGE),
        (dicom(scene())[:300], errors.Reason.DAMAGED),
        (dicom(scene(), BurnedInAnnotation="YES"), errors.Reason.UNSUPPORTED_PIXELS),
    ],
)
def test_what_cannot_be_made_safe_is_refused(data: bytes, reason: errors.Reason):
    with pytest.raises(errors.BadImage) as refused:
        Deidentifier(SECRET).copy(data)
    assert refused.value.reason is reason


def test_a_copy_is_as_good_an_object_of_its_class_as_the_original(tmp_path: Path):
    uids = {keyword: generate_uid() for keyword in ("StudyInstanceUID", "SeriesInstanceUID")}
    original = dicom(scene(), **uids, BodyPartExamined="CHEST", ViewPosition="PA", StudyDate=DATE, StudyTime="101112")
    faults = [faults_of(tmp_path / "image.dcm", data) for data in (original, Deidentifier(SECRET).copy(original))]
    assert faults[1] <= faults[0]


def faults_of(path: Path, data: bytes) -> set[str]:
    """dciodvfy's errors."""
    path.write_bytes(data)
    done = subprocess.run([program("dciodvfy"), str(path)], capture_output=True, text=True, timeout=60, check=False)
    return {line for line in done.stderr.splitlines() if line.startswith("Error")}


def test_the_secret_is_made_once_for_its_owner_alone(tmp_path: Path):
    path = tmp_path / "secret"
    first = Deidentifier.by_file(path).uid("1.2.3")
    assert path.stat().st_mode & 0o777 == 0o600
    assert Deidentifier.by_file(path).uid("1.2.3") == first
    path.write_bytes(b"short")
    with pytest.raises(errors.BadConfig, match="5 bytes, and needs 32"):
        Deidentifier.by_file(path)


def test_the_command_writes_copies_under_new_names_and_says_what_it_left_out(tmp_path: Path):
    folder = tmp_path / "DOE JANE"
    folder.mkdir()
    (folder / "first.dcm").write_bytes(dicom(scene(), StudyInstanceUID="1.2.3"))
    (folder / "second.dcm").write_bytes(dicom(scene(1), StudyInstanceUID="1.2.3"))
    command = ["deidentify", str(folder), "--out", str(tmp_path / "out"), "--secret", str(tmp_path / "secret")]
    done = CliRunner().invoke(app, command)
    assert (done.exit_code, "2 copies" in done.output) == (0, True), done.output
    copies = [dcmread(path) for path in (tmp_path / "out").iterdir()]
    assert len({copy.StudyInstanceUID for copy in copies}) == 1
    assert {f"{copy.SOPInstanceUID}.dcm" for copy in copies} == {path.name for path in (tmp_path / "out").iterdir()}
    (folder / "notes.txt").write_text("no DICOM")
    done = CliRunner().invoke(app, command)
    assert (done.exit_code, "notes.txt" in done.output) == (1, True)
