"""A JPEG of very many scans is refused before its first; as many as programs write are read."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image
from pydicom.uid import JPEGBaseline8Bit

from tests.zoo.imaging.test_dicom_syntaxes import encapsulated, slopes
from zoo import errors
from zoo.errors import Reason
from zoo.imaging import jpeg
from zoo.imaging.image import read

END = b"\xff\xd9"


@pytest.fixture
def grey() -> np.ndarray:
    return slopes(64, 48, 8).astype(np.uint8)


def progressive(pixels: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", progressive=True)
    return buffer.getvalue()


def redrawn(data: bytes, times: int) -> bytes:
    """The last scan so many times more."""
    return data.removesuffix(END) + data[data.rindex(b"\xff\xda") :].removesuffix(END) * times + END


def test_a_jpeg_drawn_very_often_is_refused_before_its_first_scan(grey: np.ndarray):
    for more, refused in ((0, False), (80, False), (100, True), (10_000, True)):
        data = redrawn(progressive(grey), more)
        assert jpeg.is_drawn_too_often(data) is refused
        if not refused:
            assert read(data).pixels.shape == (64, 48)
            continue
        with pytest.raises(errors.BadImage, match="more than 100 scans") as caught:
            read(data)
        assert caught.value.reason is Reason.TOO_LARGE


def test_so_is_one_within_a_dicom_file(grey: np.ndarray):
    assert read(encapsulated(JPEGBaseline8Bit, progressive(grey), grey, BitsStored=8, HighBit=7)).width == 48
    with pytest.raises(errors.BadImage, match="more than 100 scans"):
        read(encapsulated(JPEGBaseline8Bit, redrawn(progressive(grey), 200), grey, BitsStored=8, HighBit=7))


def test_bytes_that_only_look_like_scans_are_none(grey: np.ndarray):
    """In a segment of an application's own, and after the end, where telephones put films."""
    data = progressive(grey)
    segment = b"\xff\xe5" + (2 + 60_000).to_bytes(2, "big") + b"\xff\xda" * 30_000
    assert not jpeg.is_drawn_too_often(data[:2] + segment + data[2:] + b"\xff\xda" * 1000)


@pytest.mark.parametrize("data", [b"\xff\xd8", b"\xff\xd8\xff", b"\xff\xd8\xff\xda", b"\xff\xd8\xff\xe0\0\0"])
def test_a_jpeg_cut_short_is_for_the_decoder_to_refuse(data: bytes):
    assert not jpeg.is_drawn_too_often(data)


def test_segments_without_end_are_too_many():
    assert jpeg.is_drawn_too_often(b"\xff\xd8" + b"\xff\xe0\0\2" * 1_000_000)
