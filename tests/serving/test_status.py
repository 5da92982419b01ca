"""Errors across a real gRPC connection: what is raised on one side is raised on the other."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest

from serving.status import STATUS, abort_on_error, error_of
from zoo import errors
from zoo.errors import Reason


def leaves(kind: type[Exception]) -> set[type[Exception]]:
    below = kind.__subclasses__()
    return {kind} if not below else set().union(*map(leaves, below))


def example(kind: type[errors.KerascopeError]) -> errors.KerascopeError:
    message = "Found Größe 3 < 4; say 4 or more."
    if kind in (errors.BadImage, errors.ImageRefused):
        return kind(message, Reason.WRONG_SHAPE)  # type: ignore[call-arg]
    return kind(message)


class Failing:
    """A server whose only method raises what it is told to."""

    def __init__(self) -> None:
        self.error: BaseException = RuntimeError()
        self.server = grpc.server(ThreadPoolExecutor(2))
        handler = grpc.unary_unary_rpc_method_handler(self._fail)
        self.server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("test.Failing", {"Fail": handler}),))
        self.address = f"localhost:{self.server.add_insecure_port('localhost:0')}"
        self.server.start()

    def _fail(self, request: bytes, context: grpc.ServicerContext) -> bytes:
        with abort_on_error(context):
            raise self.error

    def call(self, method: str = "Fail") -> grpc.RpcError:
        with grpc.insecure_channel(self.address) as channel, pytest.raises(grpc.RpcError) as caught:
            channel.unary_unary(f"/test.Failing/{method}")(b"", timeout=5)
        return caught.value


@pytest.fixture
def failing() -> Iterator[Failing]:
    failing = Failing()
    yield failing
    failing.server.stop(None).wait()


def test_every_error_of_ours_has_a_status():
    assert set(STATUS) == leaves(errors.KerascopeError)


@pytest.mark.parametrize("kind", STATUS, ids=lambda kind: kind.__name__)
def test_an_error_arrives_as_itself(failing: Failing, kind: type[errors.KerascopeError]):
    failing.error = example(kind)
    call = failing.call()
    received = error_of(call, failing.address)
    assert call.code() is STATUS[kind]
    assert type(received) is kind
    assert str(received) == str(failing.error)
    assert getattr(received, "reason", None) == getattr(failing.error, "reason", None)


def test_the_metadata_name_error_and_reason_for_programs_in_other_languages(failing: Failing):
    failing.error = errors.ImageRefused("A CT.", Reason.WRONG_MODALITY)
    metadata = dict(failing.call().trailing_metadata())
    assert metadata == {"kerascope-error": "ImageRefused", "kerascope-reason": "WRONG_MODALITY"}


def test_a_bug_keeps_its_message_in_the_log_under_a_reference(failing: Failing, caplog: pytest.LogCaptureFixture):
    failing.error = RuntimeError("index 7 is out of bounds")
    received = error_of(failing.call(), failing.address)
    assert type(received) is errors.InternalError
    assert "index 7" not in str(received)
    reference = str(received).split()[2].rstrip(";")
    assert any(reference in record.getMessage() and record.exc_info for record in caplog.records)


def test_a_refusal_of_a_newer_gateway_is_still_a_refusal(failing: Failing, monkeypatch: pytest.MonkeyPatch):
    failing.error = errors.ImageRefused("Taken on the Moon.", Reason.WRONG_VIEW)
    call = failing.call()
    monkeypatch.setattr(
        call, "trailing_metadata", lambda: (("kerascope-error", "ImageRefused"), ("kerascope-reason", "MOON"))
    )
    assert type(error_of(call, "x")) is errors.BadRequest


def test_nobody_at_the_address_is_said_so():
    with grpc.insecure_channel("localhost:1") as channel, pytest.raises(grpc.RpcError) as caught:
        channel.unary_unary("/test.Failing/Fail")(b"", timeout=5)
    received = error_of(caught.value, "localhost:1")
    assert type(received) is errors.ModelNotReady
    assert "localhost:1" in str(received)
    assert "kerascope gateway" in str(received)


def test_somebody_else_at_the_address_is_said_so(failing: Failing):
    received = error_of(failing.call("Analyze"), failing.address)
    assert type(received) is errors.BadConfig
    assert "no Kerascope gateway" in str(received)


def test_a_refusal_is_logged_without_its_words(failing: Failing, caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.INFO)
    failing.error = errors.UnknownModel("No model is called 'DOE^JANE'.")
    failing.call()
    assert "UnknownModel" in caplog.text
    assert "DOE" not in caplog.text
