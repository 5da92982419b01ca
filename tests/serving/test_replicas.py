"""Several model servers behind one name: they take turns, and one that dies takes no call with it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from tests.serving.model_server_client import Client, wait_until
from zoo.bundles import Registry

if TYPE_CHECKING:
    from serving.tfserving import ModelServer
    from zoo.cards import ModelCard

pytestmark = pytest.mark.slow

TINY = "tiny-chest"


class Replica:
    """A model server in a process of its own, so that it can be killed."""

    def __init__(self, registry: Path, log: Path) -> None:
        command = [sys.executable, "-m", "kerascope", "serve", "--port", "0", "--model_name", TINY]
        command += ["--model_base_path", str(registry / TINY)]
        self._log = log
        with log.open("wb") as output:
            self.process = subprocess.Popen(
                command, stdout=output, stderr=subprocess.STDOUT, env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"}
            )
        self.port = self._port()

    def _port(self) -> int:
        end = time.monotonic() + 120
        while not (found := re.search(r"ModelServer at 0\.0\.0\.0:(\d+)", self._log.read_text())):
            assert time.monotonic() < end, self._log.read_text()
            assert self.process.poll() is None, self._log.read_text()
            time.sleep(0.1)
        return int(found[1])

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


@pytest.fixture
def mortal(export_tiny, tmp_path: Path) -> Iterator[Replica]:
    """A model of the same name with other weights, so that its answers are told from those of `model_server`."""
    registry = tmp_path / "registry"
    export_tiny(registry, seed=1)
    replica = Replica(registry, tmp_path / "log")
    client = Client(f"localhost:{replica.port}")
    wait_until(lambda: client.states(TINY) == {1: "AVAILABLE"})
    client.channel.close()
    yield replica
    replica.kill()


class Callers:
    """Sixteen threads that ask without a pause."""

    def __init__(self, server: ModelServer, card: ModelCard) -> None:
        self.failed: list[Exception] = []
        self.answers: list[float] = []
        self._server, self._card = server, card
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._ask) for _ in range(16)]

    def __enter__(self) -> Callers:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _ask(self) -> None:
        spec = self._card.input
        image = np.full((1, spec.height, spec.width, spec.channels), 128, np.uint8)
        while not self._stop.is_set():
            try:
                logits = self._server.logits(self._card, image, timeout_s=30)
                self.answers.append(round(float(logits[0, 0]), 3))
            except Exception as error:
                self.failed.append(error)


def test_two_servers_take_turns_and_the_death_of_one_loses_no_call(registry, model_server, mortal):
    from serving.tfserving import ModelServer

    server = ModelServer(f"ipv4:127.0.0.1:{model_server.port},127.0.0.1:{mortal.port}")
    with closing(server), Callers(server, Registry(registry).bundle(TINY).card) as callers:
        wait_until(lambda: len(set(callers.answers[-20:])) == 2)  # both answer, each in its own way
        mortal.kill()
        killed = len(callers.answers)
        wait_until(lambda: len(callers.answers) > killed + 100)
        assert len(set(callers.answers[-20:])) == 1
    assert not callers.failed
