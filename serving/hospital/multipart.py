"""A body of multipart/related (RFC 2387), in pieces as they come, to its parts; one part is held at a time."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from zoo import errors

logging.getLogger("python_multipart").setLevel(logging.CRITICAL)

RELATED, DICOM = b"multipart/related", b"application/dicom"


@dataclass(frozen=True)
class Part:
    """One part.

    Attributes:
        content_type: without its parameters, in small letters; empty where the part has none.
        data: its bytes; of one that is longer than may be, the beginning.
        whole: whether `data` is all of it.
    """

    content_type: bytes
    data: bytes
    whole: bool


def boundary_of(content_type: str) -> bytes:
    """The boundary of a request that stores instances (PS3.18 section 8.7.3.2).

    Raises:
        BadRequest: it is another type, or names no boundary.
    """
    kind, options = parse_options_header(content_type)
    if kind.lower() != RELATED or options.get(b"type", DICOM).lower() != DICOM or not options.get(b"boundary"):
        raise errors.BadRequest(
            "The Content-Type is none that is stored here. Send "
            'multipart/related; type="application/dicom"; boundary=... (PS3.18 section 10.5.1).'
        )
    return bytes(options[b"boundary"])


class Parts:
    """Takes a body piece by piece.

    Args:
        boundary: as `boundary_of`.
        largest: of a longer part only so many bytes are kept.
    """

    def __init__(self, boundary: bytes, *, largest: int) -> None:
        self._largest, self._ended = largest, False
        self._name, self._value, self._kind = bytearray(), bytearray(), b""
        self._data, self._whole = bytearray(), True
        self._found: list[Part] = []
        try:
            self._parser = MultipartParser(
                boundary,
                {
                    "on_part_begin": self._begin,
                    "on_header_field": self._name_goes_on,
                    "on_header_value": self._value_goes_on,
                    "on_header_end": self._header,
                    "on_part_data": self._data_go_on,
                    "on_part_end": self._end,
                    "on_end": self._finish,
                },
            )
        except FormParserError:
            raise _malformed() from None

    def feed(self, piece: bytes) -> list[Part]:
        """The parts that end in this piece.

        Raises:
            BadRequest: it is no such body.
        """
        self._found = []
        try:
            self._parser.write(piece)
        except FormParserError:
            raise _malformed() from None
        return self._found

    def close(self) -> None:
        """Says that the body is over.

        Raises:
            BadRequest: its last boundary has not come.
        """
        if not self._ended:
            raise _malformed()

    def _begin(self) -> None:
        self._kind, self._data, self._whole = b"", bytearray(), True

    def _name_goes_on(self, data: bytes, start: int, end: int) -> None:
        self._name += data[start:end]

    def _value_goes_on(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _header(self) -> None:
        if bytes(self._name).lower() == b"content-type":
            self._kind = parse_options_header(bytes(self._value))[0].lower()
        self._name.clear()
        self._value.clear()

    def _data_go_on(self, data: bytes, start: int, end: int) -> None:
        room = self._largest - len(self._data)
        self._whole = self._whole and end - start <= room
        self._data += data[start : min(end, start + max(room, 0))]

    def _end(self) -> None:
        self._found.append(Part(self._kind, bytes(self._data), self._whole))
        self._data = bytearray()

    def _finish(self) -> None:
        self._ended = True


def _malformed() -> errors.BadRequest:
    return errors.BadRequest("The body is not what multipart/related says it is (RFC 2046 section 5.1). Send it again.")
