"""Files to studies: series in their order, archives in bounds."""

from __future__ import annotations

import io
import resource
import zipfile
import zlib

import pytest

from dashboard import intake
from tests.dashboard.conftest import png
from tests.dashboard.pictures import series
from zoo.errors import Reason
from zoo.imaging.image import Image


def archive(*files: bytes, names: list[str] | None = None) -> bytes:
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED) as packed:
        for number, data in enumerate(files):
            packed.writestr(names[number] if names else f"folder/{number}", data)
    return written.getvalue()


def test_the_slices_of_a_series_are_one_study_from_feet_to_head():
    (study,) = intake.studies(series(5))
    assert [scan.place[0] for scan in study.scans] == [0, 5, 10, 15, 20]
    assert study.title == "Uploaded series, 5 slices"
    assert study.asked == 2


def test_pictures_without_a_series_are_studies_of_their_own():
    assert len(intake.studies([png(seed=1), png(seed=2), *series(2)])) == 3


def test_an_archive_is_read_as_its_files_are():
    (study,) = intake.studies([archive(*series(4))])
    assert len(study.scans) == 4
    assert all(isinstance(scan.picture, Image) for scan in study.scans)


def test_what_systems_add_to_archives_is_left_out_and_names_are_used_for_nothing():
    names = ["../../etc/passwd", "__MACOSX/a", "x/.DS_Store", "DICOMDIR"]
    (study,) = intake.studies([archive(png(), b"a", b"b", b"c", names=names)])
    assert study.title == "Uploaded picture"
    assert isinstance(study.scan.picture, Image)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (archive(), None),
        (archive(b"x", names=["DICOMDIR"]), Reason.EMPTY),
        (archive(png())[:-30], Reason.DAMAGED),
        (b"PK\x03\x04 and then nothing of a zip", Reason.DAMAGED),
    ],
)
def test_an_archive_that_cannot_be_read_is_a_refusal(data, reason):
    (study,) = intake.studies([data])
    if reason is None:  # an empty archive has no local header, so it is a file like any other
        assert not isinstance(study.scan.picture, Image)
    else:
        assert study.refusal is not None
        assert study.refusal.reason is reason


def test_an_archive_of_too_many_files_is_refused_before_they_are_read(monkeypatch):
    monkeypatch.setattr(intake, "MOST_FILES", 3)
    (study,) = intake.studies([archive(b"1", b"2", b"3", b"4")])
    assert study.refusal is not None
    assert study.refusal.reason is Reason.TOO_LARGE
    assert "4 files" in str(study.refusal)


def test_an_archive_that_unpacks_to_too_much_is_refused_while_it_is_unpacked(monkeypatch):
    monkeypatch.setattr(intake, "MOST_BYTES", 1000)
    assert len(archive(bytes(2000))) < 1000
    (study,) = intake.studies([archive(bytes(2000))])
    assert study.refusal is not None
    assert study.refusal.reason is Reason.TOO_LARGE


def test_a_file_that_is_no_picture_is_told_beside_the_others():
    studies = intake.studies([archive(png(), b"%PDF-1.7")])
    assert [isinstance(study.scan.picture, Image) for study in studies] == [True, False]


def test_a_file_that_inflates_without_end_is_not_inflated_for_its_header():
    packing = zlib.compressobj(1, wbits=-zlib.MAX_WBITS)
    bomb = b"".join(packing.compress(bytes(1 << 20)) for _ in range(1000)) + packing.flush()
    syntax = b"\x02\x00\x10\x00UI\x16\x001.2.840.10008.1.2.1.99"  # deflated (PS3.5 section A.5)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
    assert intake.scan(bytes(128) + b"DICM" + syntax + bomb).study_uid == ""
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10) - before < 100
