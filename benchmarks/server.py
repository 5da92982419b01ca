"""What the wire costs: the embedded server against its SavedModel, the gateway against a bare read of the file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import grpc
import numpy as np
import tensorflow as tf
from tensorflow_serving.apis import prediction_service_pb2_grpc

from benchmarks import decode
from benchmarks.bundles import bundle
from benchmarks.decode import bare
from benchmarks.empty import empty_method
from benchmarks.processes import serving
from benchmarks.radiograph import SIDE, radiograph
from benchmarks.timing import Measured, compare
from serving.client import Client
from serving.tfserving import OUTPUTS, array_of, predict_request

BACKBONE = "mobilenetv2"
SERVER_BAR = 1 / 0.95
GATEWAY_BAR = 1.5


def measure(registry: Path) -> Iterator[Measured]:
    """A file read and gated; one client against the embedded server; `Analyze` of that file, less the model's time."""
    yield decode.measure()
    made = bundle(BACKBONE, registry)
    analyze = tf.saved_model.load(str(made.path)).signatures["analyze"]
    pixels = np.random.default_rng(0).integers(0, 256, (224, 224, 1), dtype=np.uint8)

    def in_process() -> dict[str, np.ndarray]:
        outputs = analyze(image=tf.constant(pixels[None]))
        return {name: outputs[name].numpy() for name in OUTPUTS}

    with serving(made, registry) as (model_server, gateway):
        stub = prediction_service_pb2_grpc.PredictionServiceStub(grpc.insecure_channel(model_server))

        def over_the_wire() -> dict[str, np.ndarray]:
            response = stub.Predict(predict_request(made.card, pixels, OUTPUTS))
            return {name: array_of(response.outputs[name]) for name in OUTPUTS}

        yield compare(
            "embedded server, 1 client", over_the_wire, "SavedModel in-process", in_process, rounds=200, bar=SERVER_BAR
        )
        with Client(gateway) as client:
            yield from _gateway(client, made.name)


def _gateway(client: Client, model: str) -> Iterator[Measured]:
    """The gateway's own part of an answer by the bare read, the client's wire by gRPC's own; then each part."""
    data, parts = radiograph(), []

    def whole() -> None:
        parts.append(client.analyze(data, model=model).timings)

    read = compare("", whole, "", lambda: bare(data, 224), rounds=30)
    median = {part: float(np.median([getattr(timing, part) for timing in parts])) for part in vars(parts[0])}
    name, peer = f"gateway, {SIDE} x {SIDE} DICOM", "pydicom decode + resize"
    own, wire = median["total_ms"] - median["model_ms"], read.ms - median["total_ms"]
    yield Measured(f"{name}, all but the model", peer, own, read.peer_ms, own / read.peer_ms, GATEWAY_BAR)
    with empty_method() as take:
        least = compare("", lambda: take(data), "", lambda: bare(data, 224), rounds=30).ms
    yield Measured("  its client's wire and encoding", "an empty gRPC method, same bytes", wire, least, wire / least)
    encode = median["total_ms"] - sum(median[part] for part in ("decode_ms", "preprocess_ms", "model_ms"))
    shares = {
        "decode": median["decode_ms"],
        "preprocess": median["preprocess_ms"],
        "model, its wire included": median["model_ms"],
        "findings and provenance": encode,
        "client's wire and encoding": wire,
    }
    for part, ms in shares.items():
        yield Measured(f"  of which {part}", peer, ms, read.peer_ms, ms / read.peer_ms)
