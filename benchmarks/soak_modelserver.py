"""The embedded model server over a long time: versions swapped under load, then many calls, none lost, no memory lost.

    python -m benchmarks.soak_modelserver --calls 1000000 --swaps 100

prints what it measured and ends with status 1 where a call failed, an answer was wrong, or resident memory grew by 5 %.
Memory is compared with what it was after the first tenth: by then versions were swapped and each thread has worked.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import grpc
import numpy as np
import tensorflow as tf
from tensorflow_serving.apis import model_service_pb2_grpc
from tensorflow_serving.apis.get_model_status_pb2 import GetModelStatusRequest, ModelVersionStatus
from tensorflow_serving.apis.predict_pb2 import PredictRequest, PredictResponse

ROOT = Path(__file__).parents[1]
MODEL = "tiny"
CLIENTS = 8
MOST_GROWTH = 0.05
WAIT_S = 120.0
PREDICT = "/tensorflow.serving.PredictionService/Predict"


@dataclass(frozen=True)
class Soaked:
    """What a part came to.

    Attributes:
        name: of the part.
        done: calls that were answered as they should be.
        failed: the others.
        per_s: calls a second.
        p50_ms, p99_ms, slowest_ms: of all of them.
        before_mb, after_mb: the server's resident memory after the first tenth, and at the end.
    """

    name: str
    done: int
    failed: int
    per_s: float
    p50_ms: float
    p99_ms: float
    slowest_ms: float
    before_mb: float
    after_mb: float

    @property
    def holds(self) -> bool:
        """Whether nothing was lost, calls or memory."""
        return self.failed == 0 and self.done > 0 and self.after_mb < self.before_mb * (1 + MOST_GROWTH)

    def __str__(self) -> str:
        growth, verdict = self.after_mb / self.before_mb - 1, "holds" if self.holds else "FAILS"
        return (
            f"{self.name}: {self.done} calls answered, {self.failed} failed, {self.per_s:.0f} a second, "
            f"p50 {self.p50_ms:.1f}, p99 {self.p99_ms:.1f}, slowest {self.slowest_ms:.0f} ms; resident memory "
            f"{self.before_mb:.1f} -> {self.after_mb:.1f} MB ({growth:+.1%}), {verdict}"
        )


class Tiny(tf.Module):
    """y = 2 x + 1, with a megabyte of weights that a version must let go of."""

    def __init__(self) -> None:
        super().__init__()
        self.slope = tf.Variable(2.0)
        self.weights = tf.Variable(np.random.default_rng(0).random((512, 512), np.float32))

    @tf.function
    def line(self, x: tf.Tensor) -> dict[str, tf.Tensor]:
        """One row out for each row in."""
        return {"y": self.slope * x + 1 + 0 * tf.reduce_sum(self.weights)}


class Server:
    """`kerascope serve` as a process, and a client of it."""

    def __init__(self, process: subprocess.Popen[bytes], address: str) -> None:
        self._process = process
        self._channel = grpc.insecure_channel(address)
        self._predict = self._channel.unary_unary(PREDICT)  # bytes in, bytes out: the client costs little
        self._status = model_service_pb2_grpc.ModelServiceStub(self._channel)

    def resident_mb(self) -> float:
        """VmRSS of the process."""
        lines = Path(f"/proc/{self._process.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:")) / 1024

    def ask(self, request: bytes) -> tuple[bool, float]:
        """Whether y came back as it should, and how long that took, in milliseconds."""
        start = time.perf_counter()
        try:
            answer = PredictResponse.FromString(self._predict(request, timeout=WAIT_S))
        except grpc.RpcError:
            return False, (time.perf_counter() - start) * 1000
        right = list(answer.outputs["y"].float_val) == [3, 5]
        return right, (time.perf_counter() - start) * 1000

    def serves(self, version: int) -> bool:
        """Whether this version serves, and no other."""
        request = GetModelStatusRequest()
        request.model_spec.name = MODEL
        try:
            states = self._status.GetModelStatus(request, timeout=WAIT_S).model_version_status
        except grpc.RpcError:
            return False
        ready = [entry.version for entry in states if entry.state != ModelVersionStatus.State.END]
        return ready == [version] and states[0].state == ModelVersionStatus.State.AVAILABLE


def request() -> bytes:
    """x = [1, 2], serialized."""
    message = PredictRequest()
    message.model_spec.name = MODEL
    message.inputs["x"].CopyFrom(tf.make_tensor_proto(np.array([1, 2], "float32")))
    return message.SerializeToString()


@contextmanager
def served(folder: Path) -> Iterator[Server]:
    """A server of version 1 of the model in a folder."""
    model = Tiny()
    x = tf.TensorSpec([None], tf.float32, name="x")
    tf.saved_model.save(model, str(folder / "1"), signatures=model.line.get_concrete_function(x))
    socket = folder.parent / "soak.sock"
    flags = [f"--model_name={MODEL}", f"--model_base_path={folder}", "--port=0", f"--grpc_socket_path={socket}"]
    command = [sys.executable, "-m", "kerascope", "serve", *flags, "--file_system_poll_wait_seconds=0.05"]
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.DEVNULL) as process:
        try:
            server = Server(process, f"unix:{socket}")
            _wait(lambda: server.serves(1))
            yield server
        finally:
            process.terminate()


def swaps(server: Server, folder: Path, number: int) -> Soaked:
    """One version after another takes over, while calls go on."""
    seen: list[tuple[bool, float]] = []
    stop, question = threading.Event(), request()

    def ask() -> None:
        while not stop.is_set():
            seen.append(server.ask(question))

    threads = [threading.Thread(target=ask) for _ in range(2)]
    start, before_mb = time.perf_counter(), 0.0
    for thread in threads:
        thread.start()
    try:
        for swap in range(number):
            _swap(server, folder, swap + 1)
            if swap + 1 == max(number // 10, 1):
                before_mb = server.resident_mb()
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    failed, took_s = sum(not right for right, _ in seen), time.perf_counter() - start
    return _soaked(f"{number} swaps", failed, np.array([ms for _, ms in seen]), took_s, before_mb, server)


def _swap(server: Server, folder: Path, version: int) -> None:
    hidden = shutil.copytree(folder / str(version), folder / ".next")
    hidden.rename(folder / str(version + 1))
    _wait(lambda: server.serves(version + 1))
    shutil.rmtree(folder / str(version))


def calls(server: Server, number: int) -> Soaked:
    """So many calls from a few clients at once."""
    question, start = request(), time.perf_counter()
    first = max(number // 10, 1)
    with ThreadPoolExecutor(CLIENTS) as pool:
        seen = list(pool.map(lambda n: _many(server, question, n), _shares(first)))
        before_mb = server.resident_mb()
        seen += pool.map(lambda n: _many(server, question, n), _shares(number - first))
    took_s = time.perf_counter() - start
    failed, took_ms = sum(faults for faults, _ in seen), np.concatenate([times for _, times in seen])
    return _soaked(f"{number} calls", failed, took_ms, took_s, before_mb, server)


def _shares(number: int) -> list[int]:
    return [number // CLIENTS + (client < number % CLIENTS) for client in range(CLIENTS)]


def _many(server: Server, question: bytes, number: int) -> tuple[int, np.ndarray]:
    failed, took_ms = 0, np.zeros(number, np.float32)
    for call in range(number):
        right, took_ms[call] = server.ask(question)
        failed += not right
    return failed, took_ms


def _soaked(name: str, failed: int, took_ms: np.ndarray, took_s: float, before_mb: float, server: Server) -> Soaked:
    p50, p99, slowest = np.percentile(took_ms, (50, 99, 100))
    number, after_mb = len(took_ms), server.resident_mb()
    return Soaked(name, number - failed, failed, number / took_s, p50, p99, slowest, before_mb, after_mb)


def _wait(condition: Callable[[], bool]) -> None:
    until = time.monotonic() + WAIT_S
    while not condition():
        if time.monotonic() > until:
            raise TimeoutError(f"It did not happen within {WAIT_S:.0f} s.")
        time.sleep(0.02)


def main() -> int:
    """Both parts, each on a server of its own."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--calls", type=int, default=1_000_000)
    parser.add_argument("--swaps", type=int, default=100)
    wanted = parser.parse_args()
    found = []
    for number, part in (
        (wanted.swaps, lambda server, folder: swaps(server, folder, wanted.swaps)),
        (wanted.calls, lambda server, folder: calls(server, wanted.calls)),
    ):
        if number:
            with tempfile.TemporaryDirectory() as parent, served(Path(parent) / MODEL) as server:
                found.append(part(server, Path(parent) / MODEL))
                print(found[-1], flush=True)
    return int(not all(one.holds for one in found))


if __name__ == "__main__":
    sys.exit(main())
