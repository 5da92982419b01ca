"""Images that come in pieces, put together again. Holds one unfinished image, and never more of it than may be read."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from serving.proto.kerascope.v1 import inference_pb2 as pb
from zoo import errors
from zoo.errors import Reason

NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")


@dataclass(frozen=True)
class Incoming:
    """One image as it came.

    Attributes:
        image_id: the caller's name for it.
        data: the whole file; empty where it was refused.
        refused: why the gateway did not even hold it.
    """

    image_id: str
    data: bytes
    refused: errors.BadImage | None = None


def opened(first: Any, others: Iterator[Any]) -> tuple[Any, Iterator[pb.ImageChunk]]:
    """The options that a stream begins with, and the chunks that follow.

    Args:
        first: an AnalyzeStreamRequest or AnalyzeStudyRequest; None where none came.
        others: those after it.

    Raises:
        BadRequest: it does not begin with options; the chunks raise it where options come again.
    """
    if first is None or first.WhichOneof("part") != "options":
        raise errors.BadRequest("A stream begins with a message that has `options`: the model, and what to call it.")
    return first.options, map(_chunk, others)


def images(chunks: Iterable[pb.ImageChunk], *, most_bytes: int, heard: Callable[[], None]) -> Iterator[Incoming]:
    """The images that chunks make, as each is complete.

    Args:
        chunks: of one image after the other.
        most_bytes: of one image; what is larger is read past, and comes out refused.
        heard: is called at each chunk.

    Raises:
        BadRequest: a name that breaks the rule, an image begun within another one, or none that ends.
    """
    pieces: list[bytes] = []
    name, size = "", 0
    for chunk in chunks:
        heard()
        if not pieces and not size:
            name = check_name(chunk.image_id, "image_id")
        elif chunk.image_id != name:
            raise errors.BadRequest("A chunk of one image came within another. Send each image's chunks together.")
        size += len(chunk.data)
        pieces = [*pieces, chunk.data] if size <= most_bytes else []
        if chunk.last:
            yield _whole(name, pieces, size, most_bytes)
            pieces, size = [], 0
    if pieces or size:
        raise errors.BadRequest("The stream ended within an image: its last chunk has no `last`. Send it again.")


def check_name(name: str, field: str) -> str:
    """A name that callers give, if it keeps the rule.

    Raises:
        BadRequest: it does not. It is not quoted: it might be a person's.
    """
    if not NAME.fullmatch(name):
        raise errors.BadRequest(
            f"{field} has {len(name)} characters or others than letters, digits, dot, hyphen and underscore; it has 1 "
            "to 64 of these. A SOP Instance UID is one, or a random identifier; a person's name is not."
        )
    return name


def _chunk(request: Any) -> pb.ImageChunk:
    if request.WhichOneof("part") != "chunk":
        raise errors.BadRequest("A message of the stream has no `chunk`; `options` come first, and once.")
    return request.chunk


def _whole(name: str, pieces: list[bytes], size: int, most_bytes: int) -> Incoming:
    if size <= most_bytes:
        return Incoming(name, b"".join(pieces))
    said = f"The file has {size / 2**20:.1f} MiB; at most {most_bytes / 2**20:.1f} MiB are read. "
    return Incoming(name, b"", errors.BadImage(f"{said}Send one image, not a whole series.", Reason.TOO_LARGE))
