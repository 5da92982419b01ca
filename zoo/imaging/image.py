"""Bytes to a picture: what kind of file it is, and its pixels as a person would see them."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image as Pillow
from PIL import ImageOps

from zoo import errors
from zoo.errors import Reason
from zoo.imaging import jpeg

Pixels = npt.NDArray[np.uint8]

MAX_BYTES = 64 << 20
MAX_PIXELS = 64_000_000
MOST_CHUNKS = 100_000
_PNG = b"\x89PNG\r\n\x1a\n"


@dataclass(frozen=True, kw_only=True, eq=False)
class Image:
    """A picture and what its file says of it, before preprocessing; nothing of the patient.

    Attributes:
        pixels: uint8 [height, width] grey or [height, width, 3] RGB, as displayed, 0 black.
        format: DICOM, PNG or JPEG.
        modality: DICOM Modality (0008,0060); empty where the file does not say.
        body_part: DICOM BodyPartExamined (0018,0015); likewise.
        view: DICOM ViewPosition (0018,5101); likewise.
        bits: per sample, as stored in the file.
        pixel_aspect: how many times as high as wide a pixel is.
        burned_in: DICOM BurnedInAnnotation (0028,0301): whether text in the pixels may name the patient; None where
            the file does not say.
    """

    pixels: Pixels
    format: str
    modality: str = ""
    body_part: str = ""
    view: str = ""
    bits: int = 8
    pixel_aspect: float = 1.0
    burned_in: bool | None = None

    @property
    def height(self) -> int:
        """Rows, in pixels."""
        return int(self.pixels.shape[0])

    @property
    def width(self) -> int:
        """Columns, in pixels."""
        return int(self.pixels.shape[1])


def read(data: bytes, *, max_bytes: int = MAX_BYTES, max_pixels: int = MAX_PIXELS) -> Image:
    """A DICOM, PNG or JPEG file as a picture.

    Args:
        data: the whole file.
        max_bytes: larger files are refused unread.
        max_pixels: larger pictures are refused before their pixels are decoded.

    Raises:
        BadImage: empty, too large, of another kind, damaged, or in an encoding nobody here can read.
    """
    if not data:
        raise errors.BadImage("The file is empty. Send a DICOM, PNG or JPEG file.", Reason.EMPTY)
    if len(data) > max_bytes:
        raise errors.BadImage(
            f"The file has {len(data) / 2**20:.1f} MiB; at most {max_bytes / 2**20:.1f} MiB are read. "
            "Send one image, not a whole series.",
            Reason.TOO_LARGE,
        )
    if data[128:132] == b"DICM":  # PS3.10 section 7.1
        from zoo.imaging import dicom

        return dicom.read(data, max_pixels=max_pixels)
    if data.startswith((_PNG, b"\xff\xd8\xff")):
        return _read_picture(data, max_pixels)
    raise errors.BadImage(
        "The file is none of DICOM, PNG and JPEG, by its first bytes. "
        "A DICOM file has 'DICM' at byte 128 (PS3.10 section 7.1).",
        Reason.NOT_AN_IMAGE,
    )


def read_file(path: Path) -> Image:
    """The same for a file on disk.

    Raises:
        BadImage: as `read`, or there is no such file; the message names the file.
    """
    try:
        return read(path.read_bytes())
    except OSError as error:
        raise errors.BadImage(f"{path} cannot be read: {error.strerror}.", Reason.NOT_AN_IMAGE) from None
    except errors.BadImage as error:
        raise errors.BadImage(f"{path}: {error}", error.reason) from None


def check_size(width: int, height: int, max_pixels: int) -> None:
    """Refuses a picture that would not fit, before its pixels are decoded.

    Raises:
        BadImage: more than `max_pixels` pixels, or none.
    """
    if width * height > max_pixels:
        raise errors.BadImage(
            f"The picture has {width} x {height} pixels; at most {max_pixels / 1e6:.0f} million are read.",
            Reason.TOO_LARGE,
        )
    if width * height == 0:
        raise errors.BadImage(f"The picture has {width} x {height} pixels: it is empty.", Reason.EMPTY)


def check_scans(data: bytes) -> None:
    """Refuses a JPEG that is more work than a picture is.

    Raises:
        BadImage: more scans than anybody draws a picture in.
    """
    if data.startswith(b"\xff\xd8") and jpeg.is_drawn_too_often(data):
        raise errors.BadImage(
            f"The JPEG has more than {jpeg.MOST_SCANS} scans, or segments without end; programs write about ten. "
            "Save it again as an ordinary JPEG.",
            Reason.TOO_LARGE,
        )


def _check_chunks(data: bytes) -> None:
    """Refuses a PNG of so many chunks that reading past them is more work than the picture (PNG, section 5.3).

    Raises:
        BadImage: it has more than 100,000.
    """
    at = len(_PNG)
    for _ in range(MOST_CHUNKS):
        if data[at + 4 : at + 8] in (b"IEND", b""):
            return
        at += 12 + int.from_bytes(data[at : at + 4], "big")
    raise errors.BadImage(
        f"The PNG has more than {MOST_CHUNKS:,} chunks; programs write one for each 8 kB or more. Save it again.",
        Reason.TOO_LARGE,
    )


def _read_picture(data: bytes, max_pixels: int) -> Image:
    if data.startswith(_PNG):
        _check_chunks(data)
    check_scans(data)
    try:
        # `formats` keeps Pillow's other readers, and their bugs, away from what strangers send.
        with Pillow.open(io.BytesIO(data), formats=("PNG", "JPEG")) as picture:
            check_size(picture.width, picture.height, max_pixels)
            kind = str(picture.format)
            upright = ImageOps.exif_transpose(picture)
            return Image(pixels=_as_uint8(upright), format=kind, bits=_bits(picture.mode))
    except errors.BadImage:
        raise
    except (OSError, SyntaxError, ValueError, Pillow.DecompressionBombError):
        raise errors.BadImage(
            "The file begins as a PNG or JPEG but its pixels cannot be decoded. Send it again; it may be cut short.",
            Reason.DAMAGED,
        ) from None


def _bits(mode: str) -> int:
    return 16 if mode.startswith("I") else 1 if mode == "1" else 8


def _as_uint8(picture: Pillow.Image) -> Pixels:
    """Grey stays grey, 16-bit grey keeps its upper 8 bits, anything else becomes RGB; transparency goes to black."""
    if picture.mode.startswith("I"):
        return (np.asarray(picture).astype(np.uint32) >> 8).clip(0, 255).astype(np.uint8)
    if picture.mode in ("1", "L"):
        return np.asarray(picture.convert("L"))
    if picture.mode in ("LA", "RGBA", "P", "PA"):
        black = Pillow.new("RGBA", picture.size, (0, 0, 0, 255))
        solid = Pillow.alpha_composite(black, picture.convert("RGBA"))
        return np.asarray(solid.convert("L" if picture.mode == "LA" else "RGB"))
    return np.asarray(picture.convert("RGB"))
