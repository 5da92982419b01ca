"""The parts of the house as processes that can be killed and started again, and what tells whether each answers."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from pynetdicom import AE
from pynetdicom.sop_class import Verification
from tensorflow_serving.apis import get_model_status_pb2, model_service_pb2_grpc

ROOT = Path(__file__).parents[2]
WAIT_S = 240.0


def until(holds: Callable[[], object], what: str, timeout_s: float = WAIT_S) -> None:
    """Returns once it holds.

    Raises:
        TimeoutError: it does not in time.
    """
    end = time.monotonic() + timeout_s
    while not holds():
        if time.monotonic() > end:
            raise TimeoutError(f"{what}: not within {timeout_s:.0f} s.")
        time.sleep(0.05)


class Part:
    """One process of Kerascope's.

    Attributes:
        name: for messages.
        log: the file it writes its log to, one start after the other.

    Args:
        words: of its command line.
        answers: whether it does its work now, apart from the other parts.
    """

    def __init__(
        self, name: str, words: Sequence[str], log: Path, answers: Callable[[], bool], **environment: str
    ) -> None:
        self.name, self.log = name, log
        self._command = [sys.executable, str(ROOT / "kerascope.py"), *words]
        self._answers = answers
        self._environment: Mapping[str, str] = os.environ | environment
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """Of its process."""
        assert self._process is not None
        return self._process.pid

    def begin(self) -> None:
        """Starts it; returns at once."""
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command, cwd=self.log.parent, env=self._environment, stdout=log, stderr=subprocess.STDOUT
            )

    def back(self) -> None:
        """Returns once it answers.

        Raises:
            RuntimeError: it ended instead.
            TimeoutError: it does not in time.
        """
        until(lambda: self.alive() and self._answers(), f"the {self.name} answers")

    def alive(self) -> bool:
        """Always true.

        Raises:
            RuntimeError: it ended, though nobody killed it.
        """
        if self._process is None or self._process.poll() is not None:
            last = self.log.read_text(errors="replace").splitlines()[-5:]
            raise RuntimeError(f"The {self.name} ended by itself. Its last words: " + " | ".join(last))
        return True

    def kill(self) -> None:
        """kill -9."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def end(self) -> None:
        """Ends it, if it runs."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()


def serves_model(address: str, model: str) -> Callable[[], bool]:
    """Whether a model server has a version of the model."""
    stub = model_service_pb2_grpc.ModelServiceStub(_quick(address))
    request = get_model_status_pb2.GetModelStatusRequest()
    request.model_spec.name = model

    def answers() -> bool:
        try:
            states = stub.GetModelStatus(request, timeout=5).model_version_status
        except grpc.RpcError:
            return False
        return any(each.state == get_model_status_pb2.ModelVersionStatus.AVAILABLE for each in states)

    return answers


def serves_health(address: str) -> Callable[[], bool]:
    """Whether a gateway says of itself that it serves; not whether its model server does."""
    stub = health_pb2_grpc.HealthStub(_quick(address))

    def answers() -> bool:
        try:
            status = stub.Check(health_pb2.HealthCheckRequest(), timeout=5).status
        except grpc.RpcError:
            return False
        return bool(status == health_pb2.HealthCheckResponse.SERVING)

    return answers


def echoes(port: int, called: str, calling: str) -> Callable[[], bool]:
    """Whether a DICOM node answers a C-ECHO (PS3.4 annex A)."""

    def answers() -> bool:
        entity = AE(ae_title=calling)
        entity.connection_timeout = entity.acse_timeout = entity.dimse_timeout = 5
        entity.add_requested_context(Verification)
        association = entity.associate("127.0.0.1", port, ae_title=called)
        if not association.is_established:
            return False
        status = association.send_c_echo()
        association.release()
        return status.get("Status") == 0

    return answers


def _quick(address: str) -> grpc.Channel:
    """A channel that looks for its server all the time, so that a return is seen when it happens."""
    often = [(f"grpc.{name}_reconnect_backoff_ms", 100) for name in ("initial", "min", "max")]
    return grpc.insecure_channel(address, options=often)
