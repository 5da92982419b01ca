"""Every transfer syntax is read, as dcmtk and others write it; what would cost more memory than it is worth is not."""

from __future__ import annotations

import base64
import io
import resource
import shutil
import struct
import subprocess
import zlib
from functools import cache
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.data import get_testdata_file
from pydicom.encaps import encapsulate
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    HTJ2KLossless,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    RLELossless,
)

from tests.zoo.imaging.test_dicom import as_bytes, dataset
from zoo import errors
from zoo.errors import Reason
from zoo.imaging import dicom
from zoo.imaging.dicom import parsing
from zoo.imaging.image import MAX_PIXELS, read

needs_dcmtk = pytest.mark.skipif(shutil.which("dcmcjpeg") is None, reason="dcmtk is not installed")

# y * 256 + x * 16 on 16 x 16 pixels, by OpenJPH (imagecodecs 2026.3.6, htj2k_encode, reversible).
HTJ2K = base64.b64decode(
    "/0//UQApQAAAAAAQAAAAEAAAAAAAAAAAAAAAEAAAABAAAAAAAAAAAAABDwEB/1AACAACAAAACv9SAAwAAgABAAUEBEAB/1wAEyCIkJCQkJCQkJCQ"
    "kJCQiIiI/2QAFwABT3BlbkpQSCBWZXIgMC4yNi4zLv+QAAoAAAAAAH4AAf+TwAAmSfYFB3QAAMAAEsAAEwAiAYd0AEbyA4d0AMAAE0AAE4AQyAEC"
    "dAAe6ZEAw1QAwAAVEAAFYIZhGKpwgnUAfvTDDz/+wFKB7LYAwAArIAAWkO7u7u7nwKenp8J4AP79/f39/f39/Yxge/Yxgey6AP/Z"
)


def slopes(height: int = 64, width: int = 48, bits: int = 12) -> np.ndarray:
    """A picture of smooth slopes that every bit of a sample takes part in."""
    y, x = np.mgrid[0:height, 0:width]
    picture = (2**bits - 1) * (0.5 + 0.5 * np.sin(x / 9) * np.cos(y / 7))
    return picture.astype(np.uint16 if bits > 8 else np.uint8)


def plain(bits: int = 12) -> pydicom.Dataset:
    return dataset(
        slopes(bits=bits), WindowCenter=2 ** (bits - 1), WindowWidth=2**bits, BitsStored=bits, HighBit=bits - 1
    )


def converted(ds: pydicom.Dataset, command: list[str], folder: Path) -> bytes:
    """The file as one of dcmtk's converters writes it."""
    (folder / "in.dcm").write_bytes(as_bytes(ds))
    subprocess.run([*command, str(folder / "in.dcm"), str(folder / "out.dcm")], check=True, capture_output=True)
    return (folder / "out.dcm").read_bytes()


def encapsulated(syntax: UID, frame: bytes, pixels: np.ndarray, **attributes: object) -> bytes:
    ds = dataset(pixels, **attributes)
    ds.PixelData = encapsulate([frame])
    ds["PixelData"].is_undefined_length = True
    ds.file_meta.TransferSyntaxUID = syntax
    return as_bytes(ds)


@needs_dcmtk
@pytest.mark.parametrize(
    ("command", "name"),
    [
        (["dcmconv", "+te"], "Explicit VR Little Endian"),
        (["dcmconv", "+ti"], "Implicit VR Little Endian"),
        (["dcmconv", "+tb"], "Explicit VR Big Endian"),
        (["dcmconv", "+td"], "Deflated Explicit VR Little Endian"),
        (["dcmcrle"], "RLE Lossless"),
        (["dcmcjpeg", "+el"], "JPEG Lossless, Non-Hierarchical (Process 14)"),
        (["dcmcjpeg", "+e1"], "JPEG Lossless, Non-Hierarchical, First-Order Prediction"),
        (["dcmcjpls", "+el"], "JPEG-LS Lossless"),
    ],
)
def test_what_dcmtk_wrote_without_loss_is_shown_as_the_original(command, name, tmp_path):
    data = converted(plain(), command, tmp_path)
    assert pydicom.dcmread(io.BytesIO(data)).file_meta.TransferSyntaxUID.name.startswith(name)
    np.testing.assert_array_equal(read(data).pixels, read(as_bytes(plain())).pixels)


@needs_dcmtk
@pytest.mark.parametrize(
    ("command", "bits", "name"),
    [
        (["dcmcjpeg", "+eb", "+q", "95"], 8, "JPEG Baseline"),
        (["dcmcjpeg", "+ee", "+q", "95"], 8, "JPEG Extended"),
        (["dcmcjpeg", "+ee", "+q", "95"], 12, "JPEG Extended"),
        (["dcmcjpls", "+en", "+md", "2"], 12, "JPEG-LS Lossy"),
    ],
)
def test_what_dcmtk_wrote_with_loss_is_shown_nearly_as_the_original(command, bits, name, tmp_path):
    data = converted(plain(bits), command, tmp_path)
    assert pydicom.dcmread(io.BytesIO(data)).file_meta.TransferSyntaxUID.name.startswith(name)
    difference = read(data).pixels.astype(int) - read(as_bytes(plain(bits))).pixels
    assert np.abs(difference).max() <= 4
    assert np.abs(difference).mean() < 1


@needs_dcmtk
def test_twelve_bit_jpeg_of_another_maker_is_read_as_dcmtk_reads_it(tmp_path):
    source = Path(str(get_testdata_file("JPGExtended.dcm", download=False)))
    subprocess.run(["dcmdjpeg", str(source), str(tmp_path / "plain.dcm")], check=True, capture_output=True)
    np.testing.assert_array_equal(read(source.read_bytes()).pixels, read((tmp_path / "plain.dcm").read_bytes()).pixels)


def test_htj2k_is_read_without_loss():
    y, x = np.mgrid[0:16, 0:16]
    pixels = (y * 256 + x * 16).astype(np.uint16)
    window = {"WindowCenter": 2048, "WindowWidth": 4096}
    expected = read(as_bytes(dataset(pixels, **window))).pixels
    np.testing.assert_array_equal(read(encapsulated(HTJ2KLossless, HTJ2K, pixels, **window)).pixels, expected)


PYDICOMS = [
    "693_J2KI.dcm",
    "CT_small.dcm",
    "JPEG-lossy.dcm",
    "JPEG2000.dcm",
    "JPGExtended.dcm",
    "JPEGLSNearLossless_08.dcm",
    "MR_small_RLE.dcm",
    "MR_small_bigendian.dcm",
    "MR_small_implicit.dcm",
    "MR_small_jp2klossless.dcm",
    "MR_small_jpeg_ls_lossless.dcm",
    "SC_rgb_dcmtk_+eb+cy+s4.dcm",
    "SC_rgb_gdcm_KY.dcm",
    "SC_rgb_rle_16bit.dcm",
    "SC_ybr_full_422_uncompressed.dcm",
    "examples_palette.dcm",
    "image_dfl.dcm",
    "liver_1frame.dcm",
]


@pytest.mark.parametrize("name", PYDICOMS)
def test_pydicoms_own_files_are_read_and_show_something(name):
    path = get_testdata_file(name, download=False)
    if path is None:
        pytest.skip(f"{name} is not in this pydicom")
    image = read(Path(path).read_bytes())
    assert image.pixels.dtype == np.uint8
    assert int(image.pixels.max()) - int(image.pixels.min()) > 40


@pytest.mark.parametrize(
    "name", ["SC_rgb_jpeg_dcmtk.dcm", "SC_rgb_dcmtk_+eb+cr.dcm", "SC_rgb_rle.dcm", "ExplVR_BigEnd.dcm"]
)
def test_pydicoms_colour_files_are_read_as_rgb(name):
    path = Path(str(get_testdata_file(name, download=False)))
    pixels = read(path.read_bytes()).pixels
    difference = pixels.astype(int) - pydicom.dcmread(path).pixel_array
    assert pixels.shape[-1] == 3
    assert np.abs(difference).max() == 0


def test_one_frame_of_several_is_read_by_its_number():
    frames = np.stack([slopes(bits=8), 255 - slopes(bits=8)])
    ds = dataset(frames[0], WindowCenter=128, WindowWidth=256, BitsStored=8, HighBit=7)
    ds.NumberOfFrames, ds.PixelData = 2, frames.tobytes()
    data = as_bytes(ds)
    for number in (1, 2):
        np.testing.assert_array_equal(dicom.read(data, max_pixels=MAX_PIXELS, frame=number).pixels, frames[number - 1])
    with pytest.raises(errors.BadImage, match=r"Frame 3 is asked for.*Number of Frames is 2"):
        dicom.read(data, max_pixels=MAX_PIXELS, frame=3)


def resident_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


@cache
def bomb() -> bytes:
    """A megabyte that inflates to 1500."""
    packing = zlib.compressobj(1, wbits=-zlib.MAX_WBITS)
    zeros = bytes(1 << 20)
    return b"".join(packing.compress(zeros) for _ in range(1500)) + packing.flush()


def test_a_deflate_bomb_is_refused_before_it_is_inflated():
    head = as_bytes(dataset(slopes()))
    meta = head[: 144 + struct.unpack("<L", head[140:144])[0]]
    little, deflated = b"1.2.840.10008.1.2.1\0", DeflatedExplicitVRLittleEndian.encode()
    assert len(little) < len(deflated) + 1
    shorter = meta.replace(struct.pack("<H", 20) + little, struct.pack("<H", 22) + deflated)
    meta = shorter[:140] + struct.pack("<L", len(shorter) - 144) + shorter[144:]
    before = resident_mib()
    with pytest.raises(errors.BadImage, match=r"deflated data set holds more than") as caught:
        read(meta + bomb(), max_pixels=1 << 20)
    assert caught.value.reason is Reason.TOO_LARGE
    assert resident_mib() - before < 300


def meta_element(tag: int, vr: bytes, value: bytes) -> bytes:
    """An element of group 2 in Explicit VR Little Endian, or Implicit where `vr` is empty (PS3.5 section 7.1)."""
    if not vr:
        return struct.pack("<HHL", 2, tag, len(value)) + value
    length = struct.pack("<HL", 0, len(value)) if vr == b"OB" else struct.pack("<H", len(value))
    return struct.pack("<HH2s", 2, tag, vr) + length + value


DEFLATED = DeflatedExplicitVRLittleEndian.encode()


@pytest.mark.parametrize(
    "meta",
    [
        meta_element(0x0010, b"UI", DEFLATED),
        meta_element(0x0001, b"OB", bytes(1 << 17)) + meta_element(0x0010, b"UI", DEFLATED),  # far from the beginning
        meta_element(0x0010, b"UI", b"1.2.840.10008.1.2.1\0") + meta_element(0x0010, b"UI", DEFLATED),  # said twice
        meta_element(0x0010, b"", DEFLATED),  # in another encoding, which pydicom reads all the same
        meta_element(0x0001, b"", bytes(2)) + meta_element(0x0010, b"", DEFLATED),
    ],
)
@pytest.mark.parametrize("look", [lambda data: read(data, max_pixels=1 << 20), lambda data: bounded_header(data)])
def test_no_way_of_saying_that_a_file_is_deflated_gets_it_inflated_without_bound(meta, look):
    before = resident_mib()
    with pytest.raises(errors.BadImage):
        look(bytes(128) + b"DICM" + meta + bomb())
    assert resident_mib() - before < 100


def bounded_header(data: bytes) -> pydicom.Dataset:
    return parsing.header(data, ["Modality"], 1 << 20)


def test_an_rle_bomb_takes_no_more_than_its_picture():
    segment = bytes([0x81, 0x55]) * (8 << 20)  # each two bytes stand for 128
    frame = struct.pack("<16L", 1, 64, *[0] * 14) + segment
    pixels = np.zeros((64, 64), np.uint8)
    before = resident_mib()
    read(encapsulated(RLELossless, frame, pixels, BitsStored=8, HighBit=7))
    assert resident_mib() - before < 300


@pytest.mark.parametrize(
    ("syntax", "frame"),
    [
        (JPEG2000Lossless, HTJ2K[:8] + struct.pack(">4L", 60_000, 60_000, 0, 0) + HTJ2K[24:]),
        (JPEGBaseline8Bit, b"\xff\xd8\xff\xc0\x00\x0b\x08\xea\x60\xea\x60\x01\x01\x11\x00\xff\xda"),
    ],
)
def test_a_frame_that_claims_another_size_than_the_data_set_is_not_decoded(syntax, frame):
    pixels = np.zeros((16, 16), np.uint16 if syntax == JPEG2000Lossless else np.uint8)
    bits = 8 * pixels.dtype.itemsize
    with pytest.raises(errors.BadImage, match=r"compressed frame is not of Rows x Columns"):
        read(encapsulated(syntax, frame, pixels, BitsStored=bits, HighBit=bits - 1))


def test_a_file_of_nested_sequences_is_refused_not_crashed_on():
    head = as_bytes(dataset(slopes()))
    meta = head[: 144 + struct.unpack("<L", head[140:144])[0]]
    opening = struct.pack("<HH2sHL", 0x0040, 0xA730, b"SQ", 0, 0xFFFFFFFF) + struct.pack(
        "<HHL", 0xFFFE, 0xE000, 0xFFFFFFFF
    )
    with pytest.raises(errors.BadImage) as caught:
        read(meta + opening * 100_000)
    assert caught.value.reason in (Reason.DAMAGED, Reason.NOT_AN_IMAGE)


def test_a_jp2_box_of_no_length_is_damage_and_not_stood_before_for_ever():
    boxes = b"\0\0\0\x0cjP  \r\n\x87\n" + b"\0\0\0\0ftypjp2 "
    with pytest.raises(errors.BadImage, match=r"compressed frame is not of Rows x Columns"):
        read(encapsulated(JPEG2000Lossless, boxes + HTJ2K, np.zeros((16, 16), np.uint16), BitsStored=16, HighBit=15))
