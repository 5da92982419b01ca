"""Messages that no client would send: `python -m benchmarks.fuzz_gateway [count]`; 100,000 calls unless told.

To every method: bytes at random, messages with random fields, and good messages damaged as `benchmarks.malformed`
damages files. The gateway is a process of its own with a store, an audit trail and a model server behind it. Prints
what became of them, the slowest and the gateway's peak of memory. Ends with 1 where an answer was neither good nor one
of our errors with its status, or took longer than 5 s, or the gateway came to 2 GiB; where it died, every further call
is UNTYPED.
"""

from __future__ import annotations

import collections
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import numpy as np

from benchmarks import malformed
from benchmarks.bundles import bundle
from benchmarks.watched import watched
from serving import status
from serving.proto.kerascope.v1 import inference_pb2 as pb
from zoo import errors

REGISTRY = Path(__file__).parents[1] / "build" / "bench" / "registry"
BACKBONE = "mobilenetv2"
LONGEST_S, MOST_MIB = 5.0, 2048
SERVICE = pb.DESCRIPTOR.services_by_name["Inference"]
WATCHED_S = 0.05  # `Watch` goes on until the caller hangs up
NUMBERS = (0, 1, -1, 2, 100, 2**31 - 1, -(2**31), 2**63 - 1, -(2**63))
STATUSES = {kind.__name__: code for kind, code in status.STATUS.items()}


class Messages:
    """What is sent to a method.

    Args:
        model: a model's name, so that some of it is almost right.
        rng: of all that is random.
    """

    def __init__(self, model: str, rng: np.random.Generator) -> None:
        self._rng = rng
        self._images = [*malformed.made(), b"", b"no image"]
        self._texts = ["", model, f"{model}/1", "1.2.3", "DOE^JANE", "x" * 300, "\u00e4\u4e2d\x00", "../../etc"]
        self._model = model

    def for_method(self, method: Any) -> list[bytes]:
        """One message, or for a method that takes a stream up to six."""
        count = int(self._rng.integers(0, 7)) if method.client_streaming else 1
        return [self._one(method.input_type, first=not number) for number in range(count)]

    def _one(self, kind: Any, *, first: bool) -> bytes:
        way = self._rng.random()
        if way < 0.2:
            return bytes(self._rng.bytes(int(self._rng.integers(0, 200))))
        message = self.random(kind) if way < 0.5 else self.good(kind, first=first)
        data = bytes(message.SerializeToString())
        return malformed.broken(data, self._rng) if way > 0.6 else data

    def good(self, kind: Any, *, first: bool) -> Any:
        """A message that a client might send: of a stream the options first."""
        message = kind._concrete_class()
        model, image = pb.ModelRef(name=self._model), self._pick(self._images)
        fields = kind.fields_by_name
        if "options" in fields and first:
            message.options.model.CopyFrom(model)
        elif "chunk" in fields:
            message.chunk.CopyFrom(pb.ImageChunk(image_id=self._pick(["a", "b", "c"]), data=image, last=True))
        if "model" in fields and fields["model"].message_type is not None:
            message.model.CopyFrom(model)
        if "image" in fields:
            message.image = image
        if kind is pb.ExplainRequest.DESCRIPTOR:
            message.method, message.label = pb.METHOD_GRAD_CAM, "none"  # not worth a process with TensorFlow
        return message

    def random(self, kind: Any, depth: int = 0) -> Any:
        """A message with random fields."""
        message = kind._concrete_class()
        for field in kind.fields:
            if self._rng.random() < 0.5 or depth > 4:
                continue
            values = [
                self._value(field, depth) for _ in range(int(self._rng.integers(1, 4)) if field.is_repeated else 1)
            ]
            if field.is_repeated:
                getattr(message, field.name).extend(values)
            elif field.message_type is not None:
                getattr(message, field.name).CopyFrom(values[0])
            else:
                setattr(message, field.name, values[0])
        return message

    def _value(self, field: Any, depth: int) -> Any:
        if field.message_type is not None:
            return self.random(field.message_type, depth + 1)
        if field.type == field.TYPE_STRING:
            return self._pick(self._texts)
        if field.type == field.TYPE_BYTES:
            return self._pick(self._images)
        if field.type == field.TYPE_BOOL:
            return bool(self._rng.random() < 0.5)
        if field.type in (field.TYPE_DOUBLE, field.TYPE_FLOAT):
            return self._pick([0.0, -1.0, float("nan"), float("inf")])
        if field.type == field.TYPE_ENUM:
            return int(self._rng.integers(-2, 20))
        narrow = field.type in (field.TYPE_INT32, field.TYPE_UINT32)
        low = 0 if field.type in (field.TYPE_UINT32, field.TYPE_UINT64) else -(2**63)
        return self._pick([number for number in NUMBERS if number >= low and (not narrow or abs(number) < 2**31)])

    def _pick(self, choices: list[Any]) -> Any:
        return choices[int(self._rng.integers(len(choices)))]


def outcome(channel: grpc.Channel, method: Any, sent: list[bytes]) -> str:
    """What a method answers: `answered`, the name of one of our errors, or `UNTYPED` and what it was."""
    kind = f"{'stream' if method.client_streaming else 'unary'}_{'stream' if method.server_streaming else 'unary'}"
    call = getattr(channel, kind)(f"/{SERVICE.full_name}/{method.name}")
    timeout_s = WATCHED_S if method.name == "Watch" else 4 * LONGEST_S
    try:
        answer = call(iter(sent) if method.client_streaming else sent[0], timeout=timeout_s)
        collections.deque(answer if method.server_streaming else (), maxlen=0)
    except grpc.RpcError as error:
        return _named(error, method.name)
    return "answered"


def _named(error: Any, method: str) -> str:
    said = {key: value for key, value in error.trailing_metadata() or ()}
    name = str(said.get(status.ERROR_KEY, ""))
    if method == "Watch" and error.code() is grpc.StatusCode.DEADLINE_EXCEEDED:
        return "answered"
    if STATUSES.get(name) is not error.code() or name == errors.InternalError.__name__:
        return f"UNTYPED: {method}: {error.code().name} {name} {error.details()}"
    quoted = (
        "DOE" in str(error.details()) and name != errors.UnknownModel.__name__
    )  # it says which name it did not find
    return f"UNTYPED: {method}: {name} quotes a name" if quoted else name


def rounds(channel: grpc.Channel, model: str, count: int, seed: int = 0) -> Iterator[tuple[str, float]]:
    """What became of each of `count` calls, and how long it took in seconds."""
    rng = np.random.default_rng(seed)
    messages = Messages(model, rng)
    for _ in range(count):
        method = SERVICE.methods[int(rng.integers(len(SERVICE.methods)))]
        sent = messages.for_method(method)
        began = time.perf_counter()
        yield outcome(channel, method, sent), time.perf_counter() - began


def main(count: int) -> int:
    """Sends `count` calls and prints what became of them."""
    made = bundle(BACKBONE, REGISTRY)
    found: collections.Counter[str] = collections.Counter()
    slowest = 0.0
    with tempfile.TemporaryDirectory() as scratch:
        os.environ |= {"KERASCOPE_STORE": f"sqlite:///{scratch}/store.db", "KERASCOPE_AUDIT": f"{scratch}/audit.jsonl"}
        with watched(made, REGISTRY) as (address, memory), grpc.insecure_channel(address) as channel:
            for said, took in rounds(channel, made.name, count):
                found[said] += 1
                slowest = max(slowest, took)
            peak = memory.peak_mib
    print(f"{found.total()} calls; slowest {1e3 * slowest:.0f} ms; the gateway's peak of memory {peak:.0f} MiB")
    for said, times in found.most_common():
        print(f"  {times:7d} {said}")
    untyped = any(said.startswith("UNTYPED") for said in found)
    return int(untyped or slowest > LONGEST_S or peak > MOST_MIB)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000))
