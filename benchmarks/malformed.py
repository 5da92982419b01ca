"""Files that a stranger might send: real ones, broken in the ways files break and in the ways that break readers."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pydicom
from PIL import Image
from pydicom import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import (
    CTImageStorage,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRLittleEndian,
    RLELossless,
    generate_uid,
)

MAX_PIXELS = 4 << 20
_NUMBERS = (b"\0\0\0\0", b"\xff\xff\xff\xff", b"\xff\xff\xff\x7f", b"\0\0\0\x80", b"\xfe\xff\x00\xe0", b"\x01\0\0\0")


def seeds() -> list[bytes]:
    """pydicom's own files, up to 200 kB each, and a few made here."""
    folder = Path(pydicom.__file__).parent / "data" / "test_files"
    theirs = [
        path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file() and path.stat().st_size < 200_000
    ]
    pictures = [data for data in theirs if data[128:132] == b"DICM" and b"\xe0\x7f\x10\x00" in data]
    return pictures + made()


def made() -> list[bytes]:
    """A PNG, a JPEG, and a DICOM file plain, compressed and deflated."""
    grey = (np.hypot(*np.mgrid[0:48, 0:40]) * 4).astype(np.uint8)
    files = [_picture(grey, "PNG"), _picture(grey, "JPEG"), _picture(np.stack([grey] * 3, -1), "PNG")]
    frame = struct.pack("<16L", 1, 64, *[0] * 14) + b"".join(bytes([39]) + bytes(row) for row in grey)
    return [*files, dicom(grey), dicom(grey, RLELossless, frame), deflated(dicom(grey))]


def _picture(pixels: np.ndarray, kind: str) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, kind)
    return buffer.getvalue()


def dicom(pixels: np.ndarray, syntax: str = ExplicitVRLittleEndian, frame: bytes | None = None) -> bytes:
    """A CT slice of Jane Doe, 8 bits, with a window, a padding value and a sequence."""
    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = syntax
    ds.file_meta.MediaStorageSOPClassUID = ds.SOPClassUID = CTImageStorage
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID = generate_uid()
    ds.PatientName, ds.Modality, ds.BodyPartExamined = "DOE^JANE", "CT", "CHEST"
    ds.Rows, ds.Columns = pixels.shape
    ds.SamplesPerPixel, ds.PhotometricInterpretation, ds.PixelRepresentation = 1, "MONOCHROME2", 0
    ds.BitsAllocated, ds.BitsStored, ds.HighBit = 8, 8, 7
    ds.WindowCenter, ds.WindowWidth, ds.RescaleSlope, ds.RescaleIntercept = 128, 256, 1, 0
    ds.PixelPaddingValue = 0
    item = Dataset()
    item.WindowCenter, item.WindowWidth = 128, 300
    group = Dataset()
    group.FrameVOILUTSequence = [item]
    ds.SharedFunctionalGroupsSequence = [group]
    ds.PixelData = pixels.tobytes() if frame is None else encapsulate([frame])
    ds["PixelData"].is_undefined_length = frame is not None
    buffer = io.BytesIO()
    ds.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def deflated(plain: bytes) -> bytes:
    """The same file in the deflated transfer syntax."""
    ds = pydicom.dcmread(io.BytesIO(plain))
    ds.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    buffer = io.BytesIO()
    ds.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def broken(data: bytes, rng: np.random.Generator) -> bytes:
    """Damage of one or two kinds; of one file in twenty also the bytes that say what it is."""
    head = 0 if rng.random() < 0.05 else 132 if data[128:132] == b"DICM" else 8
    body = data[head:]
    for _ in range(int(rng.integers(1, 3))):
        body = _DAMAGE[int(rng.integers(len(_DAMAGE)))](body, rng)
    return data[:head] + body


def _flip(data: bytes, rng: np.random.Generator) -> bytes:
    """A few bits turned over, most of them in the first kilobyte, where the structure is."""
    changed = bytearray(data)
    for _ in range(int(rng.integers(1, 16))):
        end = len(changed) if rng.random() < 0.3 else min(len(changed), 2048)
        if end:
            changed[int(rng.integers(end))] ^= 1 << int(rng.integers(8))
    return bytes(changed)


def _cut(data: bytes, rng: np.random.Generator) -> bytes:
    return data[: int(rng.integers(len(data) + 1))]


def _number(data: bytes, rng: np.random.Generator) -> bytes:
    """A number at the edge of what fits, anywhere."""
    at = int(rng.integers(max(1, min(len(data), 4096))))
    number = _NUMBERS[int(rng.integers(len(_NUMBERS)))][: int(rng.choice([2, 4]))]
    return data[:at] + number + data[at + len(number) :]


def _repeat(data: bytes, rng: np.random.Generator) -> bytes:
    """A piece many times over."""
    start, length = int(rng.integers(len(data) + 1)), int(rng.integers(1, 64))
    return data[:start] + data[start : start + length] * int(rng.integers(2, 200)) + data[start:]


def _swap(data: bytes, rng: np.random.Generator) -> bytes:
    """A piece moved elsewhere."""
    first, second = sorted(int(at) for at in rng.integers(len(data) + 1, size=2))
    middle = (first + second) // 2
    return data[:first] + data[middle:second] + data[first:middle] + data[second:]


def _noise(data: bytes, rng: np.random.Generator) -> bytes:
    at, length = int(rng.integers(len(data) + 1)), int(rng.integers(1, 256))
    return data[:at] + rng.bytes(length) + data[at + length :]


def _nest(data: bytes, rng: np.random.Generator) -> bytes:
    """Sequences within sequences, never closed, before the last element."""
    opening = struct.pack("<HH2sHL", 0x0040, 0xA730, b"SQ", 0, 0xFFFFFFFF) + struct.pack(
        "<HHL", 0xFFFE, 0xE000, 0xFFFFFFFF
    )
    at = int(rng.integers(max(1, min(len(data), 2048))))
    return data[:at] + opening * int(rng.integers(1, 3000)) + data[at:]


def _pixels(data: bytes, rng: np.random.Generator) -> bytes:
    """Bytes changed where a codec reads, most of them in its headers."""
    changed = bytearray(data)
    start = max(data.find(b"\xe0\x7f\x10\x00"), 0)
    for _ in range(int(rng.integers(1, 12))):
        end = min(len(changed), start + 600) if rng.random() < 0.7 else len(changed)
        if start < end:
            changed[int(rng.integers(start, end))] = int(rng.integers(256))
    return bytes(changed)


def _element(data: bytes, rng: np.random.Generator) -> bytes:
    """An attribute the picture is shown by, in place of what stands after some element."""
    tags = ((0x28, 0x10), (0x28, 0x11), (0x28, 0x100), (0x28, 0x101), (0x28, 0x102), (0x28, 0x8), (0x28, 0x1050))
    tags += ((0x28, 0x1051), (0x28, 0x1052), (0x28, 0x1053), (0x28, 0x120), (0x28, 0x2), (0x28, 0x4), (0x18, 0x1600))
    group, element = tags[int(rng.integers(len(tags)))]
    found = data.find(struct.pack("<HH", group, element))
    if found < 0:
        return data
    value = rng.bytes(int(rng.integers(0, 12)) & ~1)
    return data[: found + 6] + struct.pack("<H", len(value)) + value + data[found + 8 :]


_DAMAGE = (_flip, _cut, _number, _repeat, _swap, _noise, _nest, *[_pixels] * 5, *[_element] * 5)


def bomb(mib: int) -> bytes:
    """A deflated DICOM file that inflates to `mib` MiB of zeros."""
    head = deflated(dicom(np.zeros((8, 8), np.uint8)))
    meta = head[: 144 + struct.unpack("<L", head[140:144])[0]]
    packing = zlib.compressobj(9, wbits=-zlib.MAX_WBITS)
    return meta + b"".join(packing.compress(b"\0" * (1 << 20)) for _ in range(mib)) + packing.flush()
