"""How much work a JPEG is: a progressive one may go over its picture as often as it likes, a few bytes each time."""

from __future__ import annotations

import re

# A progressive JPEG as cameras and programs write it has about ten scans, a sequential one at most four.
MOST_SCANS = 100
_MOST_SEGMENTS = 20_000
_START_OF_SCAN, _END_OF_IMAGE = 0xDA, 0xD9
# A marker, but for those that stand among coded data: stuffed zeros, restarts, fill bytes.
_MARKER = re.compile(rb"\xff([^\x00\xd0-\xd7\xff])")


def is_drawn_too_often(data: bytes) -> bool:
    """Whether a JPEG has more than 100 scans (ISO/IEC 10918-1 section B.2.3), or 20,000 segments; nothing is decoded.

    A scan that changes nothing takes a hundred bytes, and a decoder some ten milliseconds for each million pixels.
    """
    at, scans = 2, 0
    for _ in range(_MOST_SEGMENTS):
        marker = _MARKER.search(data, at)
        if marker is None or marker[1][0] == _END_OF_IMAGE:
            return False
        scans += marker[1][0] == _START_OF_SCAN
        if scans > MOST_SCANS:
            return True
        length = int.from_bytes(data[marker.end() : marker.end() + 2], "big")
        at = marker.end() + max(length, 2)
    return True
