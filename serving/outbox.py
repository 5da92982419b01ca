"""What a client has yet to send on a stream: kept until it is answered, to be sent again. Needs no TensorFlow."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterable, Iterator
from pathlib import Path

from serving.proto.kerascope.v1 import inference_pb2 as pb
from serving.records import ImageAnswer
from zoo import errors

Source = bytes | Path
CHUNK_BYTES = 1 << 20


class Outbox:
    """The images of one stream, over however many connections it takes. Of answered ones it keeps the names alone.

    gRPC takes the chunks in a thread of its own, one for each connection, and whoever reads the answers tells of them
    here; `images` is drawn from by one thread at a time.

    Attributes:
        unreadable: answers to files that could not be read, for the reader of the answers to take.

    Args:
        images: name and whole file, or where the file lies; it is read when it is sent.
        most: images sent and not answered, at most.
    """

    def __init__(self, images: Iterable[tuple[str, Source]], most: int) -> None:
        self._images, self._most = iter(images), most
        self._drawing, self._changed = threading.Lock(), threading.Condition()
        self._waiting: dict[str, Source] = {}
        self._unsent: deque[str] = deque()
        self._answered: set[str] = set()
        self._connection, self._ready, self._exhausted = 0, False, False
        self._failure: Exception | None = None
        self.unreadable: deque[ImageAnswer] = deque()

    def connected(self) -> Iterator[pb.ImageChunk]:
        """The chunks for a new connection, from `ready` on; those of any earlier one end."""
        with self._changed:
            self._connection, self._ready = self._connection + 1, False
            self._unsent = deque(self._waiting)
            self._changed.notify_all()
            return self._chunks(self._connection)

    def ready(self) -> None:
        """The gateway has told what it knows already."""
        with self._changed:
            self._ready = True
            self._changed.notify_all()

    def close(self) -> None:
        """Ends the chunks of every connection."""
        with self._changed:
            self._connection += 1
            self._changed.notify_all()

    def answered(self, name: str) -> bool:
        """Takes note of an answer; False if there was one before."""
        with self._changed:
            new = name not in self._answered
            self._answered.add(name)
            self._waiting.pop(name, None)
            self._changed.notify_all()
        return new

    def again(self, name: str) -> bool:
        """Has an image sent once more; False if it is not one of those sent."""
        with self._changed:
            if name in self._waiting:
                self._unsent.append(name)
            self._changed.notify_all()
            return name in self._waiting

    def check(self) -> None:
        """Raises what drawing from `images` raised."""
        if self._failure is not None:
            raise self._failure

    def _chunks(self, connection: int) -> Iterator[pb.ImageChunk]:
        while (image := self._next(connection)) is not None:
            name, source = image
            try:
                data = whole(source)
            except errors.BadImage as unreadable:
                self.unreadable.append(ImageAnswer(image_id=name, error=unreadable))
                self.answered(name)
            else:
                yield from chunks(name, data)

    def _next(self, connection: int) -> tuple[str, Source] | None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._connection != connection or self._something())
                if self._connection != connection or self._failure is not None:
                    return None
                while self._unsent:
                    name = self._unsent.popleft()
                    if name in self._waiting:
                        return name, self._waiting[name]
                if self._exhausted:
                    if not self._waiting:
                        return None
                    continue
            self._draw()

    def _something(self) -> bool:
        """Whether there is anything to do for a sender: to send, to draw, or to end."""
        if not self._ready or self._unsent:
            return self._ready
        if self._exhausted:
            return self._failure is not None or not self._waiting
        return len(self._waiting) < self._most

    def _draw(self) -> None:
        """Takes one more from `images`; no answer waits meanwhile."""
        with self._drawing:
            try:
                drawn = next(self._images, None)
            except Exception as error:  # the caller's own; they hear of it where they read the answers
                self._failure, drawn = error, None
        with self._changed:
            if drawn is None:
                self._exhausted = True
            elif drawn[0] not in self._answered and drawn[0] not in self._waiting:
                self._waiting[drawn[0]] = drawn[1]
                self._unsent.append(drawn[0])


def whole(source: Source) -> bytes:
    """A file's bytes.

    Raises:
        BadImage: it cannot be read.
    """
    if isinstance(source, bytes):
        return source
    try:
        return source.read_bytes()
    except OSError as error:
        raise errors.BadImage(f"{source} cannot be read: {error.strerror}.", errors.Reason.NOT_AN_IMAGE) from None


def chunks(name: str, data: bytes) -> Iterator[pb.ImageChunk]:
    """A file in pieces of 1 MiB."""
    for start in range(0, max(len(data), 1), CHUNK_BYTES):
        end = start + CHUNK_BYTES
        yield pb.ImageChunk(image_id=name, data=data[start:end], last=end >= len(data))
