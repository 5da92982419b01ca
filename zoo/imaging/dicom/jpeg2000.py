"""How finely a JPEG 2000 codestream says it is divided. A decoder believes it, and makes every part before the pixels.

A kilobyte can ask for a precinct every two pixels: for 2000 x 2000 pixels OpenJPEG took 2.2 GiB and 6 s for that, and
each layer costs a look at each precinct. Encoders cut such a picture into a few thousand parts.

Source of the markers: ISO/IEC 15444-1 annex A, of tiles, precincts and code-blocks annex B.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

MOST_PRECINCTS = 1 << 16
MOST_BLOCKS = 1 << 18
MOST_PACKETS = 1 << 22
_SOC_BYTES, _TILE_PART, _START_OF_DATA = 2, b"\xff\x90\x00\x0a", 0x93
_COD, _COC = 0x52, 0x53
# Those that OpenJPEG steps over by their length; past any other it looks on for one that it knows, and so for a COD.
_KNOWN = frozenset(b"\x50\x51\x52\x53\x55\x57\x58\x59\x5c\x5d\x5e\x5f\x60\x61\x63\x64\x74\x75\x77\x78\x90")


class _Grid(NamedTuple):
    """SIZ: columns and rows of a tile, how many tiles there are, components, and whether all begins at 0."""

    width: int
    height: int
    tiles: int
    components: int
    at_zero: bool


class _Style(NamedTuple):
    """COD or COC: layers (COC has none), exponents of a code-block's sides, and of a precinct's at each resolution."""

    layers: int
    block: tuple[int, int]
    precincts: tuple[tuple[int, int], ...]


def is_divided_too_finely(codestream: bytes) -> bool:
    """Whether a codestream asks for more tiles, precincts, code-blocks or packets than any picture needs.

    Args:
        codestream: from its SOC marker on, with a SIZ marker after it.

    Returns:
        The answer for the finest coding style in any of its headers, as if the whole picture had it; yes where its
        headers cannot be read.
    """
    try:
        grid, styles = _grid(codestream), list(_styles(codestream))
    except ValueError:
        return True
    if not styles:
        return True
    layers = max(style.layers for style in styles)
    for style in styles:
        counted = [_counted(grid, style, resolution) for resolution in range(len(style.precincts))]
        precincts, blocks = (grid.tiles * grid.components * sum(counts) for counts in zip(*counted, strict=True))
        if precincts > MOST_PRECINCTS or blocks > MOST_BLOCKS or layers * precincts > MOST_PACKETS:
            return True
    return False


def _grid(codestream: bytes) -> _Grid:
    siz = codestream[_SOC_BYTES + 4 : _SOC_BYTES + 40]
    numbers = [int.from_bytes(siz[at : at + 4], "big") for at in range(2, 34, 4)]
    right, bottom, left, top, width, height, tile_left, tile_top = numbers
    if not width or not height:
        raise ValueError("tiles without sides")
    tiles = -(-(right - tile_left) // width) * -(-(bottom - tile_top) // height)
    components = int.from_bytes(siz[34:36], "big")
    one_width, one_height = min(width, right - left), min(height, bottom - top)
    return _Grid(one_width, one_height, tiles, components, not (left or top or tile_left or tile_top))


def _styles(codestream: bytes) -> Iterator[_Style]:
    """Of the main header, and of whatever stands where a tile-part's could: no other data holds such bytes."""
    headers = [_SOC_BYTES]
    at = codestream.find(_TILE_PART)
    while at >= 0:
        headers.append(at)
        at = codestream.find(_TILE_PART, at + 1)
    for start in headers:
        for marker, segment in _segments(codestream, start):
            if marker == _COD:
                yield _style(segment[0], int.from_bytes(segment[2:4], "big"), segment[5:])
            elif marker == _COC:
                yield _style(segment[1], 0, segment[2:])


def _segments(codestream: bytes, at: int) -> Iterator[tuple[int, bytes]]:
    """Marker and segment, without its length, up to the next tile-part, its data, or what is no marker.

    Raises:
        ValueError: there is a marker that none of the standard's is.
    """
    first = True
    while at + 4 <= len(codestream) and codestream[at] == 0xFF:
        marker, length = codestream[at + 1], int.from_bytes(codestream[at + 2 : at + 4], "big")
        if marker == _START_OF_DATA or length < 2 or (marker == _TILE_PART[1] and not first):
            return
        if marker not in _KNOWN:
            raise ValueError("an unknown marker")
        yield marker, codestream[at + 4 : at + 2 + length].ljust(16, b"\0")
        at, first = at + 2 + length, False


def _style(says_precincts: int, layers: int, said: bytes) -> _Style:
    """`said` begins with the number of decomposition levels; precincts that it does not tell are 2^15 wide and high."""
    resolutions = min(said[0], 32) + 1
    exponents = said[5 : 5 + resolutions].ljust(resolutions, b"\0") if says_precincts & 1 else b"\xff" * resolutions
    precincts = tuple((exponent & 15, exponent >> 4) for exponent in exponents)
    return _Style(layers, ((said[1] & 15) + 2, (said[2] & 15) + 2), precincts)


def _counted(grid: _Grid, style: _Style, resolution: int) -> tuple[int, int]:
    """Precincts and code-blocks of one component of a tile at one resolution, 0 the coarsest (sections B.5 to B.7)."""
    halvings = len(style.precincts) - 1 - resolution
    bands, band_halvings = (3, halvings + 1) if resolution else (1, halvings)
    precincts, blocks = 1, bands
    for side, precinct, block in zip(grid[:2], style.precincts[resolution], style.block, strict=True):
        apart = grid.at_zero and (grid.tiles == 1 or _fits(side, 1 << (precinct + halvings)))
        precincts *= _parts(side, halvings + precinct) + (not apart)
        size = max(min(block, precinct - (resolution > 0)), 0)
        blocks *= _parts(side, band_halvings + size) + (not apart)
    return precincts, blocks


def _fits(tile: int, precinct: int) -> bool:
    """Whether no tile's edge cuts a precinct or no precinct's edge a tile, so that there are no more than it looks."""
    return tile % precinct == 0 or precinct % tile == 0


def _parts(side: int, exponent: int) -> int:
    return -(-side >> exponent)
