"""How large a compressed frame says it is: a decoder believes the frame, not the data set, and takes the memory."""

from __future__ import annotations

from typing import NamedTuple

_START_OF_FRAME = {0xC0, 0xC1, 0xC2, 0xC3, 0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF, 0xF7}


class Frame(NamedTuple):
    """What a codestream's header says: columns, rows, bits per sample, and samples per pixel."""

    width: int
    height: int
    bits: int
    samples: int


def header(frame: bytes) -> Frame | None:
    """The size of a JPEG, JPEG-LS or JPEG 2000 frame; None where its header cannot be found.

    Sources: SOF of ISO/IEC 10918-1 section B.2.2 and, as SOF55, ISO/IEC 14495-1 section C.2.2; SIZ of ISO/IEC 15444-1
    section A.5.1. A JPEG 2000 frame may stand in a JP2 file (PS3.5 section 8.2.4 forbids it; senders do it).
    """
    if frame[:2] == b"\xff\xd8":
        return _jpeg(frame)
    start = jpeg2000_start(frame)
    return None if start is None else _jpeg2000(frame, start)


def jpeg2000_start(frame: bytes) -> int | None:
    """Where a JPEG 2000 codestream begins in a frame; None where there is none."""
    start = _past_boxes(frame) if frame[4:8] == b"jP  " else 0
    return start if frame[start : start + 4] == b"\xff\x4f\xff\x51" else None


def _past_boxes(frame: bytes) -> int:
    """Where the codestream of a JP2 file begins (ISO/IEC 15444-1 annex I); a box too short to step over ends the walk.

    pydicom walks the same boxes, and would stand before such a one for ever.
    """
    at = 0
    while at + 8 <= len(frame):
        length = int.from_bytes(frame[at : at + 4], "big")
        if frame[at + 4 : at + 8] == b"jp2c":
            return at + 8
        if length < 8:
            break
        at += length
    return len(frame)


def _jpeg(frame: bytes) -> Frame | None:
    """Walks the segments before the first scan."""
    at = 2
    while at + 10 <= len(frame) and frame[at] == 0xFF:
        marker = frame[at + 1]
        if marker == 0xFF:  # fill bytes
            at += 1
            continue
        if marker in _START_OF_FRAME:
            size = frame[at + 4 : at + 10]
            return Frame(int.from_bytes(size[3:5], "big"), int.from_bytes(size[1:3], "big"), size[0], size[5])
        if marker == 0xDA:
            return None
        at += 2 + int.from_bytes(frame[at + 2 : at + 4], "big")
    return None


def _jpeg2000(frame: bytes, start: int) -> Frame | None:
    siz = frame[start + 4 : start + 43]
    if len(siz) < 39:
        return None
    right, bottom, left, top = (int.from_bytes(siz[at : at + 4], "big") for at in (4, 8, 12, 16))
    samples = int.from_bytes(siz[36:38], "big")
    return Frame(max(right - left, 0), max(bottom - top, 0), (siz[38] & 0x7F) + 1, samples)
