"""What a client holds of a stream, and what it sends again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from serving.outbox import CHUNK_BYTES, Outbox, Source, chunks
from serving.proto.kerascope.v1 import inference_pb2 as pb


def images(count: int, drawn: list[str] | None = None) -> Iterator[tuple[str, Source]]:
    for number in range(count):
        if drawn is not None:
            drawn.append(str(number))
        yield str(number), str(number).encode()


def names(sent: Iterator[pb.ImageChunk], count: int) -> list[str]:
    return [next(sent).image_id for _ in range(count)]


def opened(outbox: Outbox) -> Iterator[pb.ImageChunk]:
    sent = outbox.connected()
    outbox.ready()
    return sent


def test_a_large_file_goes_in_pieces_and_comes_together():
    data = bytes(range(256)) * (CHUNK_BYTES // 256) * 2 + b"rest"
    pieces = list(chunks("a", data))
    assert [len(piece.data) for piece in pieces] == [CHUNK_BYTES, CHUNK_BYTES, 4]
    assert [piece.last for piece in pieces] == [False, False, True]
    assert b"".join(piece.data for piece in pieces) == data
    assert [(piece.data, piece.last) for piece in chunks("a", b"")] == [(b"", True)]


def test_no_more_is_drawn_than_may_be_unanswered():
    drawn: list[str] = []
    outbox = Outbox(images(100, drawn), most=3)
    sent = opened(outbox)
    assert names(sent, 3) == ["0", "1", "2"]
    assert len(drawn) == 3
    outbox.answered("1")
    assert names(sent, 1) == ["3"]
    assert len(drawn) == 4


def test_a_new_connection_sends_what_has_no_answer_and_then_goes_on():
    outbox = Outbox(images(5), most=4)
    old = opened(outbox)
    assert names(old, 3) == ["0", "1", "2"]
    outbox.answered("1")
    new = opened(outbox)
    assert names(new, 4) == ["0", "2", "3", "4"]
    assert list(old) == []


def test_what_was_told_before_it_was_drawn_is_not_sent():
    outbox = Outbox(images(3), most=4)
    sent = outbox.connected()
    assert outbox.answered("1")
    assert not outbox.answered("1")
    outbox.ready()
    assert names(sent, 2) == ["0", "2"]
    for name in "02":
        outbox.answered(name)
    assert list(sent) == []


def test_an_image_can_be_sent_again_until_it_is_answered():
    outbox = Outbox(images(1), most=4)
    sent = opened(outbox)
    assert names(sent, 1) == ["0"]
    assert outbox.again("0")
    assert names(sent, 1) == ["0"]
    outbox.answered("0")
    assert not outbox.again("0")
    assert list(sent) == []


def test_a_file_that_cannot_be_read_is_answered_here(tmp_path: Path):
    (tmp_path / "there").write_bytes(b"1")
    outbox = Outbox([("a", tmp_path / "none"), ("b", tmp_path / "there")], most=4)
    sent = opened(outbox)
    assert names(sent, 1) == ["b"]
    outbox.answered("b")
    assert list(sent) == []
    (answer,) = outbox.unreadable
    assert answer.image_id == "a"
    assert "cannot be read" in str(answer.error)


def test_what_the_callers_own_images_raise_is_raised_to_them():
    def broken() -> Iterator[tuple[str, Source]]:
        yield "0", b"0"
        raise KeyError("theirs")

    outbox = Outbox(broken(), most=4)
    assert len(list(opened(outbox))) == 1
    with pytest.raises(KeyError, match="theirs"):
        outbox.check()


def test_a_closed_outbox_sends_nothing_more():
    outbox = Outbox(images(3), most=4)
    sent = opened(outbox)
    names(sent, 1)
    outbox.close()
    assert list(sent) == []
