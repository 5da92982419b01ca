"""Calls that may not be made end before their message is read: real gateways, and messages that are never sent."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest

from serving.doorman import Doorman
from serving.proto.kerascope.v1 import inference_pb2 as pb
from serving.security.guard import Guard
from serving.security.roles import Role
from serving.security.tokens import Verifier, make
from serving.server import Gateway
from tests.serving.security.site import SECRET, Site
from tests.waiting import until
from zoo import errors

PATIENCE_S = 60
MIB = 1 << 20
Metadata = tuple[tuple[str, str], ...]
STRANGER: Metadata = ()


def bearer(role: Role, secret: bytes = SECRET) -> Metadata:
    return (("authorization", f"Bearer {make(secret, subject='anne', role=role, hours=1)}"),)


FORGED = bearer(Role.ADMIN, b"x" * 32)


@pytest.fixture(scope="module")
def narrow(site: Site) -> Gateway:
    """A gateway with one place, for small pictures."""
    return site.start(request_threads=1, requests_waiting=0, max_image_bytes=MIB)


class Silent:
    """Callers who open calls and send no message, until the test ends."""

    def __init__(self, channel: grpc.Channel) -> None:
        self._channel, self._ended = channel, threading.Event()

    def call(self, method: str, metadata: Metadata) -> grpc.Future:
        path = f"/kerascope.v1.Inference/{method}"
        return self._channel.stream_unary(path).future(self._nothing(), metadata=metadata, timeout=PATIENCE_S)

    def stop(self) -> None:
        self._ended.set()

    def _nothing(self) -> Iterator[bytes]:
        self._ended.wait()
        yield b""


@pytest.fixture
def silent(site: Site, narrow: Gateway) -> Iterator[Silent]:
    with site.channel(narrow) as channel:
        silent = Silent(channel)
        yield silent
        silent.stop()


@pytest.mark.parametrize("method", ["Analyze", "Explain", "AnalyzeStream", "AnalyzeStudy", "Watch", "SubmitReview"])
@pytest.mark.parametrize("metadata", [STRANGER, FORGED], ids=["none", "forged"])
def test_who_has_no_valid_token_is_refused_before_any_message_has_come(silent, method, metadata):
    assert silent.call(method, metadata).exception().code() is grpc.StatusCode.UNAUTHENTICATED


def test_whose_role_may_not_is_refused_before_any_message_has_come(silent):
    call = silent.call("SubmitReview", bearer(Role.ENGINEER))
    assert call.exception().code() is grpc.StatusCode.PERMISSION_DENIED


def test_who_asks_too_often_is_refused_before_any_message_has_come(site):
    gateway = site.start(requests_per_minute=0.001, burst=1)
    with site.client(gateway) as anne:
        anne.models()
    with site.channel(gateway) as channel:
        silent = Silent(channel)
        exception = silent.call("Analyze", bearer(Role.CLINICIAN)).exception()
        silent.stop()
    assert exception.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert "calls a minute" in exception.details()


def test_a_message_over_the_limit_without_a_token_lacks_the_token_and_nobody_sees_its_size(site, narrow):
    request = pb.AnalyzeRequest(image=bytes(16 * MIB)).SerializeToString()
    with site.channel(narrow) as channel:
        analyze = channel.unary_unary("/kerascope.v1.Inference/Analyze")
        stranger = analyze.future(request, timeout=PATIENCE_S).exception()
        anne = analyze.future(request, timeout=PATIENCE_S, metadata=bearer(Role.SYSTEM)).exception()
    assert stranger.code() is grpc.StatusCode.UNAUTHENTICATED
    assert anne.code() is grpc.StatusCode.RESOURCE_EXHAUSTED  # gRPC's own word, once it has begun to read


def test_strangers_take_no_place_and_wait_for_none(site, narrow, silent):
    for _ in range(5):  # there is one place: were it theirs, whoever comes next would be told so
        assert silent.call("Analyze", STRANGER).exception().code() is grpc.StatusCode.UNAUTHENTICATED
    with site.client(narrow) as client:
        with pytest.raises(errors.UnknownModel):
            client.analyze(b"", model="none")
        two = [silent.call("Analyze", bearer(Role.SYSTEM)) for _ in range(2)]
        until(lambda: any(call.done() for call in two))  # the other one has the place
        with pytest.raises(errors.TooManyRequests):
            client.analyze(b"", model="none")
    assert silent.call("Analyze", STRANGER).exception().code() is grpc.StatusCode.UNAUTHENTICATED
    for call in two:
        call.cancel()


def test_calls_refused_unread_are_counted(site):
    gateway = site.start()
    with site.channel(gateway) as channel:
        silent = Silent(channel)
        for method in ("Analyze", "AnalyzeStream"):
            silent.call(method, STRANGER).exception()
            labels = {"method": method, "model": "unknown", "status": "UNAUTHENTICATED"}
            assert gateway.metrics.registry.get_sample_value("kerascope_requests_total", labels) == 1
        silent.stop()


def test_what_a_stranger_sends_is_never_parsed():
    parsed: list[int] = []

    def parse(data: bytes) -> bytes:
        parsed.append(len(data))
        return data

    doorman = Doorman(lambda method, status: None)
    guard = Guard(Verifier({"": SECRET}, ("HS256",)), None, None, doorman)
    server = grpc.server(ThreadPoolExecutor(1), interceptors=(guard,))
    handler = grpc.unary_unary_rpc_method_handler(lambda request, context: b"", request_deserializer=parse)
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("test.Test", {"Analyze": handler}),))
    port = server.add_insecure_port("localhost:0")
    server.start()
    with grpc.insecure_channel(f"localhost:{port}") as channel:
        analyze = channel.unary_unary("/test.Test/Analyze")
        assert analyze.future(bytes(3 * MIB), timeout=PATIENCE_S).exception().code() is grpc.StatusCode.UNAUTHENTICATED
        assert parsed == []
        analyze(bytes(2 * MIB), timeout=PATIENCE_S, metadata=bearer(Role.SYSTEM))
        assert parsed == [2 * MIB]
    server.stop(0).wait()
    doorman.stop()
