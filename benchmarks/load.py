"""The embedded server under load: batching, waiting at 70 % load, and a new version while it is asked."""

from __future__ import annotations

import itertools
import os
import shutil
import statistics
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import tensorflow as tf

from benchmarks.asking import by_grpc, load_of
from benchmarks.bundles import bundle
from benchmarks.processes import answering, model_server
from benchmarks.timing import Measured
from serving.deploy.files import ONE_CORE_A_CALL, Batching, batching_config
from serving.load import loops, targets
from serving.load.measured import Measured as Load
from serving.tfserving import ModelServer
from zoo.bundles import Bundle
from zoo.imaging.image import read
from zoo.imaging.preprocess import preprocess

BACKBONES = ("mobilenetv2", "densenet121")
CLIENTS = 16
BATCHES = (1, 2, 4, 8, 16, 32)
CORES = os.cpu_count() or 1
BATCHING = Batching.one_by_one((1, 2, 4, 8), CORES)  # as `kerascope deploy render --cpu --cpus` does
SECONDS, ROUNDS, SWAP_ROUNDS = 6.0, 3, 5
WAVES = 40  # answers of each client, at least: when they stop, the last batches are not full
LOOK_S = 0.1  # how often it is asked whether a version serves
BATCHED_BAR, WAITING_BAR, SWAP_BAR = 1 / 0.95, 3.0, 2.0


def pictures(made: Bundle) -> list[np.ndarray]:
    """Generated pictures as the model takes them."""
    return [preprocess(read(file), made.card.input) for file in targets.pictures(None)]


def batching_flags(folder: Path, batching: Batching) -> list[str]:
    """Flags for `kerascope serve`, with the parameters written into a folder."""
    (folder / "batching.config").write_text(batching_config(batching))
    return ["--enable_batching", "--batching_parameters_file", str(folder / "batching.config")]


def measure(registry: Path) -> Iterator[Measured]:
    """Against the best that the SavedModel does in-process at any batch size; waiting and swap by themselves."""
    with tempfile.TemporaryDirectory() as scratch:
        flags = [*batching_flags(Path(scratch), BATCHING), ONE_CORE_A_CALL]
        for backbone in BACKBONES:
            made = bundle(backbone, registry)
            with model_server(made, *flags) as address:
                yield from _under_load(backbone, made, address)
        yield from _swaps(bundle(BACKBONES[0], registry), flags)


def _under_load(backbone: str, made: Bundle, address: str) -> Iterator[Measured]:
    ask, images = load_of(by_grpc(address, made.card)), pictures(made)
    answering(ask, images[0])
    in_process = InProcess(made, images)
    met = loops.closed(ask, images, clients=CLIENTS, seconds=2)  # every batch size, once
    seconds = max(SECONDS, WAVES * CLIENTS / met.throughput)
    ours, best = [], []
    for _ in range(ROUNDS):
        ours.append(1e3 / loops.closed(ask, images, clients=CLIENTS, seconds=seconds).throughput)
        best.append(in_process.best_ms())
    ratio = statistics.median(mine / other for mine, other in zip(ours, best, strict=True))
    name, peer = f"{CLIENTS} clients with batching, {backbone}, per answer", "SavedModel in-process, best batch"
    yield Measured(name, peer, statistics.median(ours), statistics.median(best), ratio, BATCHED_BAR)
    yield from _waiting(backbone, ask, images, seconds)


class InProcess:
    """The SavedModel's `analyze` in this process, answers as arrays."""

    def __init__(self, made: Bundle, images: Sequence[np.ndarray]) -> None:
        self._loaded = tf.saved_model.load(str(made.path))
        self._images = images
        for batch in BATCHES:
            self._ms(batch, 0.0)

    def best_ms(self) -> float:
        """Milliseconds a picture at the batch size that makes it least."""
        return min(self._ms(batch, SECONDS / len(BATCHES)) for batch in BATCHES)

    def _ms(self, batch: int, seconds: float) -> float:
        pixels = np.stack([self._images[number % len(self._images)] for number in range(batch)])
        analyze, began, done = self._loaded.signatures["analyze"], time.perf_counter(), 0
        while not done or time.perf_counter() - began < seconds:
            for tensor in analyze(image=tf.constant(pixels)).values():
                tensor.numpy()
            done += batch
        return 1e3 * (time.perf_counter() - began) / done


def _waiting(backbone: str, ask: loops.Ask, images: Sequence[np.ndarray], seconds: float) -> Iterator[Measured]:
    """p99 by p50 of calls that come evenly, and at random; the middle one of a few rounds.

    Each round is at 70 % of what the server does in so many seconds just before it: what a shared machine can do
    changes from minute to minute, and a rate that was 70 % may be all there is.

    At random there is no bar: a perfect server of one call at a time, each in the same time S, is at 4.3 there already
    (p50 1.73 S, p99 7.49 S: the queue M/D/1 at 70 %, four million calls of Lindley's recursion).
    """
    for even, told, bar in ((True, "evenly", WAITING_BAR), (False, "at random", None)):
        rounds = [_at_70_percent(ask, images, seconds, even=even, seed=seed) for seed in range(ROUNDS)]
        p99, p50 = _middle([(each.percentile(99), each.percentile(50)) for each in rounds])
        rates = ", ".join(f"{each.load['rate_per_s']:.0f}" for each in rounds)
        name, peer = f"p99 at 70 % load, calls {told}, {backbone}", f"p50, {rates} a second"
        yield Measured(name, peer, p99, p50, p99 / p50, bar)


def _at_70_percent(ask: loops.Ask, images: Sequence[np.ndarray], seconds: float, *, even: bool, seed: int) -> Load:
    rate = 0.7 * loops.closed(ask, images, clients=CLIENTS, seconds=seconds).throughput
    return loops.open_(ask, images, rate=rate, seconds=max(2 * SECONDS, 300 / rate), seed=seed, even=even)


def _middle(rounds: list[tuple[float, float]]) -> tuple[float, float]:
    """The round whose first number is the middle one as a multiple of its second."""
    return sorted(rounds, key=lambda pair: pair[0] / pair[1])[len(rounds) // 2]


def _swaps(made: Bundle, flags: Sequence[str]) -> Iterator[Measured]:
    """The middle one of a few rounds; a call that fails in any of them counts."""
    rounds = [_swap(made, flags) for _ in range(SWAP_ROUNDS)]
    ms, peer_ms = _middle([(during.percentile(99), before.percentile(99)) for before, during, _ in rounds])
    name = f"version swap under load, p99, {' + '.join(str(swaps) for *_, swaps in rounds)} swaps"
    yield Measured(name, "p99 before", ms, peer_ms, ms / peer_ms, SWAP_BAR)
    failed = sum(len(during.samples) - len(during.answered) for _, during, _ in rounds)
    yield Measured("version swap under load, failed calls", "none allowed", failed, 0, failed, 0)


def _swap(made: Bundle, flags: Sequence[str]) -> tuple[Load, Load, int]:
    """Calls at 40 % of what the server can do, without and with versions that appear one after another.

    Each appears when the one before it serves, so that at every moment one is read, warmed up or swapped in.
    """
    with tempfile.TemporaryDirectory() as folder:
        copy = Bundle(Path(folder) / made.name / "1")
        shutil.copytree(made.path, copy.path)
        with model_server(copy, *flags, "--file_system_poll_wait_seconds", "0.2") as address:
            ask, images = load_of(by_grpc(address, made.card)), pictures(made)
            answering(ask, images[0])
            rate = 0.4 * loops.closed(ask, images, clients=CLIENTS, seconds=SECONDS).throughput
            before = loops.open_(ask, images, rate=rate, seconds=4 * SECONDS, seed=0)
            with _appearing(copy, ModelServer(address)) as swapped:
                during = loops.open_(ask, images, rate=rate, seconds=4 * SECONDS, seed=0)
    if not swapped:
        raise TimeoutError(f"no version was swapped in within {4 * SECONDS:g} s")
    return before, during, len(swapped)


@contextmanager
def _appearing(copy: Bundle, server: ModelServer) -> Iterator[list[int]]:
    """Until the end, copies appear as new versions; gives those that serve."""
    swapped: list[int] = []
    over = threading.Event()

    def appear() -> None:
        for version in itertools.count(2):
            hidden = copy.path.parent / f".{version}"
            shutil.copytree(copy.path, hidden)
            hidden.rename(copy.path.parent / str(version))
            while not server.version_ready(copy.name, version):
                if over.wait(LOOK_S):
                    return
            swapped.append(version)

    thread = threading.Thread(target=appear)
    thread.start()
    try:
        yield swapped
    finally:
        over.set()
        thread.join()
