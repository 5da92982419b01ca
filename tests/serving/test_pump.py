"""Images put together from chunks, and what is held of a stream at once. No gRPC, no model."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from serving.incoming import Incoming, images, opened
from serving.proto.kerascope.v1 import inference_pb2 as pb
from serving.pump import Pump
from tests.waiting import until
from zoo import errors
from zoo.errors import Reason

PATIENCE_S = 60


def chunk(name: str, data: bytes, *, last: bool = True) -> pb.ImageChunk:
    return pb.ImageChunk(image_id=name, data=data, last=last)


def read(*chunks: pb.ImageChunk, most_bytes: int = 10) -> list[Incoming]:
    return list(images(chunks, most_bytes=most_bytes, heard=lambda: None))


def test_chunks_become_the_images_they_were():
    first = [chunk("a", b"12", last=False), chunk("a", b"", last=False), chunk("a", b"345")]
    assert read(*first, chunk("b", b"6"), chunk("c", b"")) == [
        Incoming("a", b"12345"),
        Incoming("b", b"6"),
        Incoming("c", b""),
    ]


def test_an_image_over_the_limit_is_read_past_and_the_next_one_is_whole():
    large, small = read(chunk("a", b"123456", last=False), chunk("a", b"78901"), chunk("b", b"0123456789"))
    assert large.data == b""
    assert large.refused.reason is Reason.TOO_LARGE
    assert small == Incoming("b", b"0123456789")


@pytest.mark.parametrize(
    ("chunks", "words"),
    [
        ([chunk("a", b"1", last=False), chunk("b", b"2")], "within another"),
        ([chunk("a", b"1", last=False)], "ended within"),
        ([chunk("a", b"", last=False)], "ended within"),
        ([chunk("", b"1")], "0 characters"),
        ([chunk("x" * 65, b"1")], "65 characters"),
    ],
)
def test_chunks_that_make_no_images_are_a_bad_request(chunks, words):
    with pytest.raises(errors.BadRequest, match=words):
        read(*chunks)


@pytest.mark.parametrize("name", ["DOE^JANE", "Jane Doe", "1.2.3/4", "ä"])
def test_a_name_that_could_be_a_persons_is_refused_and_not_quoted(name):
    with pytest.raises(errors.BadRequest) as caught:
        read(chunk(name, b"1"))
    assert name not in str(caught.value)


def test_a_uid_is_a_name():
    assert read(chunk("1." + "9" * 62, b"1"))


def test_a_stream_begins_with_its_options_and_has_them_once():
    options = pb.AnalyzeStreamRequest(options=pb.StreamOptions(stream_id="s"))
    image = pb.AnalyzeStreamRequest(chunk=chunk("a", b"1"))
    said, chunks = opened(options, iter([image, options]))
    assert said.stream_id == "s"
    assert next(chunks) == image.chunk
    with pytest.raises(errors.BadRequest, match="once"):
        next(chunks)
    for first in (None, image, pb.AnalyzeStreamRequest()):
        with pytest.raises(errors.BadRequest, match="begins with"):
            opened(first, iter(()))


class Drawn:
    """Images without end, or so many, and how many were drawn."""

    def __init__(self, size: int = 1, count: int | None = None) -> None:
        self.number, self._size = 0, size
        self._numbers = itertools.count() if count is None else range(count)

    def __call__(self, heard: Callable[[], None]) -> Iterator[Incoming]:
        for number in self._numbers:
            self.number += 1
            heard()
            yield Incoming(str(number), bytes(self._size))


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(4) as threads:
        yield threads


@pytest.fixture
def held(threads: ThreadPoolExecutor) -> Iterator[threading.Event]:
    """What an answer waits for, until a test sets it or is over."""
    event = threading.Event()
    yield event
    event.set()


def pump(drawn: Callable, threads: ThreadPoolExecutor, answer=lambda image: image.image_id, **changes) -> Pump[str]:
    limits = {"most_images": 3, "most_bytes": 1000, "idle_s": PATIENCE_S} | changes
    return Pump(drawn, answer, threads, **limits)


def test_every_image_is_answered_once(threads):
    assert sorted(pump(Drawn(count=50), threads).answers(), key=int) == [str(number) for number in range(50)]


def test_no_more_is_read_than_is_held_while_answers_are_not_taken(threads):
    drawn = Drawn()
    answers = pump(drawn, threads).answers()
    for taken in range(1, 20):
        next(answers)
        until(lambda: drawn.number == taken + 2)  # the one in hand, and two more  # noqa: B023
    answers.close()
    assert drawn.number == 21


def test_no_more_is_read_than_is_held_while_nobody_answers(threads, held):
    drawn = Drawn()
    answers = pump(drawn, threads, lambda image: held.wait() and image.image_id).answers()
    first = threads.submit(next, answers)
    until(lambda: drawn.number == 3)
    assert not first.done()
    held.set()
    first.result()
    answers.close()


def test_large_images_count_by_their_bytes(threads, held):
    drawn = Drawn(size=600)
    answers = pump(drawn, threads, lambda image: held.wait() and image.image_id).answers()
    first = threads.submit(next, answers)
    until(lambda: drawn.number == 2)  # 600 is below 1000, and one more may be read; 1200 is not
    held.set()
    first.result()
    answers.close()


def test_what_reading_raises_comes_after_the_answers_of_what_was_read(threads):
    def broken(heard: Callable[[], None]) -> Iterator[Incoming]:
        yield Incoming("0", b"")
        raise errors.BadRequest("broken")

    answers = pump(broken, threads).answers()
    assert next(answers) == "0"
    with pytest.raises(errors.BadRequest, match="broken"):
        next(answers)


def test_a_stream_on_which_nothing_comes_is_ended(threads, held):
    def silent(heard: Callable[[], None]) -> Iterator[Incoming]:
        yield Incoming("0", b"")
        held.wait()

    answers = pump(silent, threads, idle_s=0.1).answers()
    assert next(answers) == "0"
    with pytest.raises(errors.BackendTimeout, match="Nothing has come"):
        next(answers)


def test_a_gateway_that_stops_answers_what_it_has_and_reads_no_more(threads):
    stopping, drawn = threading.Event(), Drawn()
    answers = pump(drawn, threads, stopping=stopping.is_set).answers()
    next(answers)
    stopping.set()
    with pytest.raises(errors.ModelNotReady, match="stopping"):
        for _ in answers:
            pass
    assert drawn.number <= 4


def test_nothing_more_happens_once_the_caller_has_gone(threads):
    alive, drawn = threading.Event(), Drawn()
    alive.set()
    answers = pump(drawn, threads, alive=alive.is_set).answers()
    next(answers)
    alive.clear()
    assert len(list(answers)) <= 3


def test_an_image_waits_until_it_may_be_counted(threads):
    waits = iter([0.0, 0.01, 0.01, 0.0])
    assert len(list(pump(Drawn(count=2), threads, pace=lambda: next(waits)).answers())) == 2
    assert next(waits, None) is None
