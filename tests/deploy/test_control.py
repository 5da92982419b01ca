"""What an operator's client makes of a server that tells an error."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import grpc
import pytest
from tensorflow_serving.apis.get_model_status_pb2 import (
    GetModelStatusRequest,
    GetModelStatusResponse,
    ModelVersionStatus,
)
from tensorflow_serving.apis.model_service_pb2_grpc import ModelServiceServicer, add_ModelServiceServicer_to_server

from serving.deploy.control import Control
from zoo import errors

State = ModelVersionStatus.State
Told = tuple[int, str]
OLD, NEW = (State.END, "no graph"), (State.END, "no weights")
LOADING, AVAILABLE = (State.LOADING, ""), (State.AVAILABLE, "")


class Scripted(ModelServiceServicer):
    """Tells one state after another of version 3, and the last one for ever."""

    def __init__(self, told: list[Told]) -> None:
        self._told = told

    def GetModelStatus(self, request: GetModelStatusRequest, context: grpc.ServicerContext) -> GetModelStatusResponse:
        state, error = self._told.pop(0) if len(self._told) > 1 else self._told[0]
        answer = GetModelStatusResponse()
        entry = answer.model_version_status.add(version=3, state=state)
        entry.status.error_code, entry.status.error_message = (3 if error else 0), error
        return answer


@pytest.fixture
def control() -> Iterator[Callable[..., Control]]:
    server = grpc.server(ThreadPoolExecutor(1))
    port = server.add_insecure_port("localhost:0")
    opened = []

    def started(*told: Told) -> Control:
        add_ModelServiceServicer_to_server(Scripted(list(told)), server)
        server.start()
        opened.append(Control(f"localhost:{port}"))
        return opened[0]

    yield started
    for one in opened:
        with closing(one):
            server.stop(None)


def wait(control: Control) -> None:
    control.wait_for("line", 3, time.monotonic() + 30)


def test_the_error_of_an_earlier_try_is_not_taken_for_this_ones(control: Callable[..., Control]) -> None:
    wait(control(OLD, OLD, LOADING, AVAILABLE))


def test_an_error_that_comes_while_it_is_waited_for_is_told(control: Callable[..., Control]) -> None:
    with pytest.raises(errors.ModelNotReady, match="no weights"):
        wait(control(OLD, LOADING, NEW, AVAILABLE))


def test_the_same_error_again_is_told(control: Callable[..., Control]) -> None:
    with pytest.raises(errors.ModelNotReady, match="no graph"):
        wait(control(OLD, LOADING, OLD))


def test_an_error_that_stays_is_told(control: Callable[..., Control]) -> None:
    with pytest.raises(errors.ModelNotReady, match="no graph"):
        wait(control(OLD))
