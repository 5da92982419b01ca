"""Data sets of parts without number are refused before pydicom makes an object of each."""

from __future__ import annotations

import io
import struct

import numpy as np
import pydicom
import pytest
from pydicom.uid import DeflatedExplicitVRLittleEndian, ImplicitVRLittleEndian

from tests.zoo.imaging.test_dicom import as_bytes, dataset
from tests.zoo.imaging.test_dicom_syntaxes import resident_mib, slopes
from zoo import errors
from zoo.errors import Reason
from zoo.imaging.dicom import parsing
from zoo.imaging.image import MAX_PIXELS, read

MANY = 1 << 20
OPEN, CLOSE = struct.pack("<HHL", 0xFFFE, 0xE000, 0xFFFFFFFF), struct.pack("<HHL", 0xFFFE, 0xE00D, 0)
ITEM, END = struct.pack("<HHL", 0xFFFE, 0xE000, 0), struct.pack("<HHL", 0xFFFE, 0xE0DD, 0)


def element(tag: int, vr: bytes, value: bytes, length: int | None = None) -> bytes:
    """An element in Explicit VR Little Endian with a length of four bytes (PS3.5 section 7.1.2)."""
    return struct.pack("<HH2sHL", tag >> 16, tag & 0xFFFF, vr, 0, len(value) if length is None else length) + value


def spliced(more: bytes) -> bytes:
    """A good file with more at the beginning of its data set."""
    data = as_bytes(dataset(slopes(), WindowCenter=2048, WindowWidth=4096))
    start = 144 + struct.unpack("<L", data[140:144])[0]
    return data[:start] + more + data[start:]


def with_element(tag: int, vr: bytes, value: bytes, length: int | None = None, **attributes: object) -> bytes:
    """A good file with one element more."""
    data = as_bytes(dataset(slopes(), WindowCenter=2048, WindowWidth=4096, **attributes))
    pixels = data.index(struct.pack("<HH", 0x7FE0, 0x0010))
    return data[:pixels] + element(tag, vr, value, length) + data[pixels:]


EMPTY = b"".join(struct.pack("<HH2sH", 0x0009 + 2 * (n >> 16), n & 0xFFFF, b"SH", 0) for n in range(MANY))
LONG = {
    "elements": spliced(EMPTY),
    "items": spliced(element(0x00081110, b"SQ", ITEM * MANY + END, 0xFFFFFFFF)),
    "items-of-a-stated-length": with_element(0x00283010, b"SQ", ITEM * MANY),
    "items-within-an-item": with_element(
        0x00283010, b"SQ", OPEN + element(0x00283002, b"SQ", ITEM * MANY) + CLOSE + END, 0xFFFFFFFF
    ),
    "items-of-what-is-no-sequence": with_element(0x00281055, b"SQ", ITEM * MANY),
    "items-of-a-frame": with_element(0x52009230, b"SQ", ITEM * MANY),
    "shutter-edges-as-items": with_element(0x00181602, b"SQ", ITEM * MANY, ShutterShape="RECTANGULAR"),
}


@pytest.mark.parametrize("data", LONG.values(), ids=LONG)
def test_parts_without_number_are_refused_before_they_are_made(data):
    before = resident_mib()
    with pytest.raises(errors.BadImage) as caught:
        read(data)
    assert caught.value.reason in (Reason.TOO_LARGE, Reason.DAMAGED)
    assert resident_mib() - before < 200


@pytest.mark.parametrize("kind", ["elements", "items"])
def test_the_headers_reader_has_the_same_bounds(kind):
    with pytest.raises(errors.BadImage, match="without number"):
        parsing.header(LONG[kind], ["Modality"], MAX_PIXELS)


def test_a_list_of_numbers_without_end_is_refused_unconverted():
    ds = pydicom.dcmread(io.BytesIO(as_bytes(dataset(slopes()))))
    ds.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
    data = as_bytes(ds)
    pixels = data.index(struct.pack("<HH", 0x7FE0, 0x0010))
    numbers = b"1\\" * MANY
    long = data[:pixels] + struct.pack("<HHL", 0x0028, 0x1050, len(numbers)) + numbers + data[pixels:]
    with pytest.raises(errors.BadImage, match="very great length"):
        read(long)


def test_a_deflated_file_has_the_same_bounds():
    ds = pydicom.dcmread(io.BytesIO(LONG["items-of-a-stated-length"]))
    ds.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    with pytest.raises(errors.BadImage, match="without end"):
        read(as_bytes(ds))


def test_large_private_elements_and_tables_are_no_reason_to_refuse():
    ds = dataset(slopes(), WindowCenter=2048, WindowWidth=4096)
    plain = read(as_bytes(ds)).pixels
    ds.add_new(0x00290010, "LO", "A VENDOR")
    ds.add_new(0x00291010, "UN", bytes(3 << 20))
    ds.add_new(0x00291020, "SQ", [pydicom.Dataset() for _ in range(2000)])
    np.testing.assert_array_equal(read(as_bytes(ds)).pixels, plain)
