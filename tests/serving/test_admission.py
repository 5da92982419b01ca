"""What a gateway does when more is asked of it than it takes on."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from pathlib import Path

import grpc
import pytest

from serving.client import Client
from serving.proto.kerascope.v1 import inference_pb2 as pb
from serving.proto.kerascope.v1 import inference_pb2_grpc
from serving.server import Gateway
from tests.serving.held_model_server import HeldModelServer
from tests.waiting import until
from zoo import errors
from zoo.results import Analysis

pytestmark = pytest.mark.slow

TINY = "tiny-chest"
ANALYZE = "/kerascope.v1.Inference/Analyze"
PATIENCE_S = 60


@pytest.fixture
def full(registry: Path, held: HeldModelServer, start_gateway: Callable[..., Gateway]) -> Gateway:
    """A gateway with three places: two to be answered, one to wait."""
    return start_gateway(registry, held.port, request_threads=2, requests_waiting=1, request_timeout_s=PATIENCE_S)


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(16) as threads:
        yield threads


def ask(client: Client, threads: ThreadPoolExecutor, png: bytes, count: int) -> list[Future[Analysis]]:
    return [threads.submit(client.analyze, png, model=TINY) for _ in range(count)]


def turned_away(asked: list[Future[Analysis]]) -> list[Future[Analysis]]:
    """Those answered while the model server says nothing: they can only have been turned away."""
    done, waiting = wait(asked, PATIENCE_S, FIRST_COMPLETED)
    assert all(isinstance(each.exception(), errors.TooManyRequests) for each in done)
    assert "Ask again" in str(done.copy().pop().exception())
    return list(waiting)


def test_one_more_than_there_are_places_for_is_turned_away_at_once_and_the_places_come_free(full, held, threads, png):
    with Client(full.address, timeout_s=PATIENCE_S) as client:
        for _ in range(3):  # a place that was lost would be missed the next time
            held.close()
            waiting = turned_away(ask(client, threads, png, 4))
            assert len(waiting) == 3
            until(lambda: held.inside == 2)
            assert not any(each.done() for each in waiting)
            held.open()
            assert all(each.result().findings for each in waiting)
    assert held.most == 2


def test_a_full_gateway_still_says_that_it_is_well_and_what_it_has(full, held, threads, png):
    with Client(full.address, timeout_s=PATIENCE_S) as client:
        held.close()
        waiting = turned_away(ask(client, threads, png, 4))
        assert client.ready(TINY)
        assert [model.name for model in client.models()] == [TINY]
        held.open()
        wait(waiting)


def test_who_hangs_up_leaves_the_place_to_others(full, held, threads, png):
    request = pb.AnalyzeRequest(model=pb.ModelRef(name=TINY), image=png)
    with grpc.insecure_channel(full.address) as channel, Client(full.address, timeout_s=PATIENCE_S) as client:
        held.close()
        leaving = [inference_pb2_grpc.InferenceStub(channel).Analyze.future(request) for _ in range(3)]
        until(lambda: held.inside == 2)
        for call in leaving:
            call.cancel()
        held.open()
        until(lambda: all_fit(client, threads, png))


def test_who_never_sends_the_picture_holds_a_place_only_until_they_hang_up(full, threads, png):
    forever = threading.Event()

    def nothing() -> Iterator[bytes]:
        forever.wait()
        yield b""

    with grpc.insecure_channel(full.address) as channel, Client(full.address, timeout_s=PATIENCE_S) as client:
        silent = [channel.stream_unary(ANALYZE).future(nothing()) for _ in range(3)]
        until(lambda: is_full(client, png))
        for call in silent:
            call.cancel()
        forever.set()
        until(lambda: all_fit(client, threads, png))


def test_who_never_sends_the_picture_is_hung_up_on(registry, model_server, start_gateway, threads, png):
    gateway = start_gateway(registry, model_server.port, request_threads=2, requests_waiting=1, request_timeout_s=0.5)
    forever = threading.Event()

    def nothing() -> Iterator[bytes]:
        forever.wait()
        yield b""

    with grpc.insecure_channel(gateway.address) as channel:
        silent = [channel.stream_unary(ANALYZE).future(nothing()) for _ in range(3)]
        assert {call.exception(PATIENCE_S).code() for call in silent} == {grpc.StatusCode.CANCELLED}
    forever.set()


def all_fit(client: Client, threads: ThreadPoolExecutor, png: bytes) -> bool:
    return all(each.exception() is None for each in ask(client, threads, png, 3))


def is_full(client: Client, png: bytes) -> bool:
    try:
        client.analyze(png, model=TINY)
    except errors.TooManyRequests:
        return True
    return False


def test_calls_turned_away_are_counted(full, held, threads, png):
    with Client(full.address, timeout_s=PATIENCE_S) as client:
        held.close()
        waiting = turned_away(ask(client, threads, png, 4))
        held.open()
        wait(waiting)
    labels = {"method": "Analyze", "model": "unknown", "status": "RESOURCE_EXHAUSTED"}
    assert full.metrics.registry.get_sample_value("kerascope_requests_total", labels) == 1


@pytest.mark.parametrize(("sent", "words"), [([b"\xff\xff\xff"], "3 bytes that are no message"), ([], "no message")])
def test_bytes_that_are_no_message_are_refused_as_such(gateway, sent, words):
    with grpc.insecure_channel(gateway.address) as channel, pytest.raises(grpc.RpcError, match=words) as caught:
        channel.stream_unary(ANALYZE)(iter(sent), timeout=PATIENCE_S)
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert ("kerascope-error", "BadRequest") in [tuple(item) for item in caught.value.trailing_metadata()]
