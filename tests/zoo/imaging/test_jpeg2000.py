"""A JPEG 2000 frame cut into parts without number is refused before OpenJPEG makes one; what encoders write is read."""

from __future__ import annotations

import io
import struct

import numpy as np
import pytest
from PIL import Image
from pydicom.uid import JPEG2000Lossless, JPEGLSLossless

from tests.zoo.imaging.test_dicom_syntaxes import encapsulated, resident_mib, slopes
from zoo import errors
from zoo.errors import Reason
from zoo.imaging.dicom.jpeg2000 import is_divided_too_finely
from zoo.imaging.image import read

SIDE = 4000
LEVELS = 5


def segment(marker: int, body: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body


def size(side: int, tile: int = 0, components: int = 1) -> bytes:
    """SOC and SIZ: 8 bits, one tile unless told."""
    tile = tile or side
    body = struct.pack(">H8LH", 0, side, side, 0, 0, tile, tile, 0, 0, components) + b"\x07\x01\x01" * components
    return b"\xff\x4f" + segment(0x51, body)


def style(
    *,
    layers: int = 1,
    levels: int = LEVELS,
    block: int = 64,
    precinct: int | None = None,
    component: bytes | None = None,
) -> bytes:
    """COD, or COC of a component: the precinct is the exponent of both its sides, at every resolution."""
    sides = bytes([block.bit_length() - 3]) * 2
    said = bytes([levels]) + sides + b"\x00\x01" + (b"" if precinct is None else bytes([precinct * 17]) * (levels + 1))
    scheme = bytes([precinct is not None])
    if component:
        return segment(0x53, component + scheme + said)
    return segment(0x52, scheme + struct.pack(">BHB", 0, layers, 0) + said)


QUANTISATION = segment(0x5C, b"\x40" + b"\x40" * (3 * LEVELS + 1))


def tile_part(header: bytes = b"") -> bytes:
    return segment(0x90, struct.pack(">HLBB", 0, 0, 0, 1)) + header + b"\xff\x93" + bytes(64) + b"\xff\xd9"


USUAL = size(SIDE) + style() + QUANTISATION
FINE = style(precinct=1)
TILE = struct.pack(">4L", SIDE, SIDE, 0, 0)
BOMBS = {
    "precincts": size(SIDE) + FINE + QUANTISATION + tile_part(),
    "precincts-of-a-component": USUAL + style(precinct=1, component=b"\0") + tile_part(),
    "precincts-of-a-tile": USUAL + tile_part(FINE),
    "precincts-behind-an-unknown-marker": USUAL + segment(0x30, FINE) + tile_part(),
    "tiles": size(SIDE, tile=8) + style() + QUANTISATION + tile_part(),
    "code-blocks": size(SIDE) + style(block=4) + QUANTISATION + tile_part(),
    "layers": size(SIDE) + style(layers=65_535, precinct=7) + QUANTISATION + tile_part(),
    "tiles-of-no-size": size(SIDE).replace(struct.pack(">LL", SIDE, SIDE) + bytes(8), bytes(16))
    + style()
    + tile_part(),
}


@pytest.mark.parametrize("frame", BOMBS.values(), ids=BOMBS)
def test_a_frame_of_parts_without_number_is_refused_before_one_is_made(frame):
    assert len(frame) < 1000
    before = resident_mib()
    with pytest.raises(errors.BadImage) as caught:
        read(encapsulated(JPEG2000Lossless, frame, flat(), BitsStored=8, HighBit=7))
    assert caught.value.reason in (Reason.TOO_LARGE, Reason.DAMAGED)
    assert resident_mib() - before < 100


def flat() -> np.ndarray:
    return np.zeros((SIDE, SIDE), np.uint8)


@pytest.mark.parametrize(
    ("syntax", "frame"),
    [
        (JPEG2000Lossless, size(SIDE, components=255) + style() + QUANTISATION + tile_part()),
        (
            JPEGLSLossless,
            b"\xff\xd8" + segment(0xF7, struct.pack(">BHHB", 8, SIDE, SIDE, 255) + b"\x01\x11\x00" * 255) + bytes(64),
        ),
    ],
    ids=["jpeg2000", "jpeg-ls"],
)
def test_a_frame_of_more_samples_than_the_data_set_says_is_not_decoded(syntax, frame):
    with pytest.raises(errors.BadImage, match="has not Samples per Pixel"):
        read(encapsulated(syntax, frame, flat(), BitsStored=8, HighBit=7))


def test_a_frame_with_a_palette_of_its_own_is_not_decoded():
    buffer = io.BytesIO()
    Image.fromarray(slopes(bits=8)).save(buffer, "JPEG2000")
    boxes = buffer.getvalue()
    palette = boxes.index(b"jp2c") - 4
    frame = boxes[:palette] + struct.pack(">L4s", 8, b"pclr") + boxes[palette:]
    read(encapsulated(JPEG2000Lossless, boxes, slopes(bits=8), BitsStored=8, HighBit=7))
    with pytest.raises(errors.BadImage, match="palette of its own"):
        read(encapsulated(JPEG2000Lossless, frame, slopes(bits=8), BitsStored=8, HighBit=7))


@pytest.mark.parametrize(
    ("side", "refused"),
    [(2048, False), (2049, True)],  # by 8 x 8 in 256 x 256 precincts, 65536; and in 257 x 257
)
def test_precincts_counted_by_hand(side, refused):
    assert is_divided_too_finely(size(side) + style(levels=0, precinct=3) + tile_part()) is refused


@pytest.mark.parametrize(
    ("side", "refused"),
    # At two resolutions, in 32 x 32 blocks: of 16384 columns the lower has 256 x 256 blocks, the three bands of the
    # higher as many each, together 262144; 64 more columns bring one more column of blocks each.
    [(16_384, False), (16_448, True)],
)
def test_code_blocks_counted_by_hand(side, refused):
    assert is_divided_too_finely(size(side) + style(levels=1, block=32) + tile_part()) is refused


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"tile_size": (64, 64)},
        {"precinct_size": (64, 64), "codeblock_size": (16, 16)},
        {"num_resolutions": 3, "quality_layers": [40, 20, 10], "quality_mode": "rates"},
    ],
)
def test_what_openjpeg_writes_is_read(options):
    pixels = slopes(600, 500, 8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG2000", no_jp2=True, **options)
    shown = encapsulated(JPEG2000Lossless, buffer.getvalue(), pixels, BitsStored=8, HighBit=7)
    assert read(shown).pixels.shape == pixels.shape


def test_a_picture_as_large_as_may_be_in_tiles_of_256_is_not_refused_for_them():
    assert not is_divided_too_finely(size(8000, tile=256) + style() + QUANTISATION + tile_part())
