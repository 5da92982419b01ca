"""Bytes to pixels, for pictures and for what only pretends to be one."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image as Pillow

from zoo import errors
from zoo.errors import Reason
from zoo.imaging.image import read, read_file


def encoded(pixels: np.ndarray, kind: str = "PNG", **options: object) -> bytes:
    buffer = io.BytesIO()
    Pillow.fromarray(pixels).save(buffer, kind, **options)
    return buffer.getvalue()


@pytest.fixture
def ramp() -> np.ndarray:
    return np.arange(64 * 48, dtype=np.uint32).reshape(64, 48) * 65535 // (64 * 48)


def test_a_grey_png_comes_back_as_it_was(ramp):
    pixels = (ramp >> 8).astype(np.uint8)
    image = read(encoded(pixels))
    np.testing.assert_array_equal(image.pixels, pixels)
    assert (image.format, image.width, image.height) == ("PNG", 48, 64)


def test_a_16_bit_png_keeps_its_upper_8_bits(ramp):
    image = read(encoded(ramp.astype(np.uint16)))
    np.testing.assert_array_equal(image.pixels, (ramp >> 8).astype(np.uint8))


def test_a_jpeg_is_read_in_colour():
    pixels = np.zeros((40, 40, 3), np.uint8)
    pixels[..., 0] = 200
    image = read(encoded(pixels, "JPEG", quality=95))
    assert image.format == "JPEG"
    np.testing.assert_allclose(image.pixels[20, 20], [200, 0, 0], atol=4)


def test_a_jpeg_turned_by_its_camera_is_set_upright():
    pixels = np.zeros((40, 60), np.uint8)
    pixels[:, :30] = 255
    exif = Pillow.Exif()
    exif[0x0112] = 6  # rotate a quarter turn clockwise to display: the left half goes to the top
    image = read(encoded(pixels, "JPEG", exif=exif.tobytes()))
    assert (image.width, image.height) == (40, 60)
    assert image.pixels[5, 20] > 250 > 5 > image.pixels[55, 20]


def test_what_is_transparent_is_black():
    pixels = np.full((40, 40, 4), 255, np.uint8)
    pixels[:20, :, 3] = 0
    image = read(encoded(pixels))
    assert image.pixels[0, 0].tolist() == [0, 0, 0]
    assert image.pixels[39, 0].tolist() == [255, 255, 255]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", Reason.EMPTY),
        (b"%PDF-1.7 is not a picture", Reason.NOT_AN_IMAGE),
        (b"GIF89a and others Pillow could read", Reason.NOT_AN_IMAGE),
        (b"\x89PNG\r\n\x1a\n and then nothing of use", Reason.DAMAGED),
        (b"\xff\xd8\xff\xe0 cut short", Reason.DAMAGED),
    ],
)
def test_what_is_not_an_image_is_refused_with_the_reason(data, reason):
    with pytest.raises(errors.BadImage) as caught:
        read(data)
    assert caught.value.reason is reason


def test_a_png_cut_short_is_refused(ramp):
    whole = encoded(ramp.astype(np.uint16))
    with pytest.raises(errors.BadImage, match="cannot be decoded") as caught:
        read(whole[: len(whole) // 2])
    assert caught.value.reason is Reason.DAMAGED


@pytest.mark.parametrize(("chunks", "refused"), [(50_000, False), (100_000, True)])
def test_a_png_of_chunks_without_number_is_refused_before_its_pixels(ramp, chunks, refused):
    data = encoded(ramp.astype(np.uint16))
    after_header = 8 + 25
    text = b"a\0b"
    chunk = struct.pack(">L", len(text)) + b"tEXt" + text + struct.pack(">L", zlib.crc32(b"tEXt" + text))
    longer = data[:after_header] + chunk * chunks + data[after_header:] + bytes(12) * 100_000  # behind its end: unread
    if not refused:
        assert read(longer).width == 48
        return
    with pytest.raises(errors.BadImage, match="chunks") as caught:
        read(longer)
    assert caught.value.reason is Reason.TOO_LARGE


def test_a_large_file_is_refused_unread_and_a_large_picture_undecoded(ramp):
    data = encoded(ramp.astype(np.uint16))
    for limits in ({"max_bytes": 100}, {"max_pixels": 1000}):
        with pytest.raises(errors.BadImage) as caught:
            read(data, **limits)
        assert caught.value.reason is Reason.TOO_LARGE


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(errors.BadImage, match=r"nothing\.png cannot be read: No such file"):
        read_file(tmp_path / "nothing.png")
