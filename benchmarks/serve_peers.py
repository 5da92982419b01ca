"""The embedded server beside LitServe and Ray Serve, 1 and 16 clients, batching: `python -m benchmarks.serve_peers`.

Every server has the same SavedModel, pictures and waiting time and TensorFlow's own choice of threads, is asked for
the same four outputs, and in turns with the others. The peers are installed from PyPI into build/peers (minutes, once).
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import tensorflow as tf
from matplotlib.figure import Figure
from rich.console import Console

from benchmarks.__main__ import OUT, table
from benchmarks.asking import Answer, by_bytes, by_grpc, by_json, load_of
from benchmarks.bundles import bundle
from benchmarks.load import BACKBONES, CLIENTS, WAVES, batching_flags, pictures
from benchmarks.peer_environments import NotInstalled, python_with
from benchmarks.processes import answering, free_port, model_server, running
from benchmarks.timing import Measured
from serving.deploy.files import Batching
from serving.load import loops
from zoo.bundles import Bundle
from zoo.errors import ModelNotReady

OURS, OURS_OPENVINO = "kerascope", "kerascope, openvino"
PEERS = {
    "LitServe": ("litserve", "peer_litserve.py", ["litserve"], by_json),
    "Ray Serve": ("ray", "peer_ray.py", ["ray[serve]"], by_bytes),
}
IMAGE = Path(__file__).parents[1] / "docs" / "images" / "serving-peers.png"
BATCHING = Batching(sizes=(1, 2, 4, 8))  # waits as long for company as the peers do
AHEAD = 1.0
START_S = 300.0
Throughputs = dict[tuple[str, str, int], float]
"""Server, backbone, clients -> answers a second."""


def main() -> int:
    """Measures, prints, writes; status 1 where a peer is faster."""
    given = _arguments()
    console, found = Console(), {}
    with ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        for backbone in BACKBONES:
            found |= _backbone(backbone, scratch, given, console)
    rows = list(_compared(found))
    console.print(table(rows))
    OUT.mkdir(parents=True, exist_ok=True)
    (OUT / "serve_peers.json").write_text(json.dumps([asdict(row) for row in rows], indent=2))
    plot(found, given.plot)
    return int(any(row.holds is False for row in rows))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=6, help="of each load, at least")
    parser.add_argument("--rounds", type=int, default=3, help="turns of every server")
    parser.add_argument("--plot", type=Path, default=IMAGE, help="PNG to draw")
    return parser.parse_args()


def _backbone(backbone: str, scratch: Path, given: argparse.Namespace, console: Console) -> Throughputs:
    """One server at a time is up, so that none takes memory and turns from another; several rounds, medians."""
    made = bundle(backbone, OUT / "registry")
    images, turns = pictures(made), {}
    expected = _expected(made, images[0])
    for number in range(given.rounds):
        for name in _servers(console if not number and backbone == BACKBONES[0] else None):
            with _up(name, made, scratch) as answer:
                if not _is_right(name, answer, images[0], expected, console):
                    continue
                for clients in (1, CLIENTS):
                    met = loops.closed(load_of(answer), images, clients=clients, seconds=2)
                    seconds = max(given.seconds, WAVES * clients / met.throughput)
                    load = loops.closed(load_of(answer), images, clients=clients, seconds=seconds)
                    turns.setdefault((name, backbone, clients), []).append(load.throughput)
                    console.log(
                        f"{name}, {backbone}, {clients} clients: {load.throughput:.1f} a second {load.failures or ''}"
                    )
    return {key: statistics.median(found) for key, found in turns.items()}


def _servers(console: Console | None) -> Iterator[str]:
    yield OURS
    if find_spec("openvino"):
        yield OURS_OPENVINO
    for name, (folder, _, packages, _) in PEERS.items():
        try:
            python_with(folder, *packages)
        except NotInstalled as error:
            if console:
                console.print(f"{name} is left out, for it cannot be installed here: {error}")
        else:
            yield name


@contextmanager
def _up(name: str, made: Bundle, scratch: Path) -> Iterator[Answer]:
    if name in PEERS:
        folder, script, packages, asked = PEERS[name]
        port = free_port()
        settings = [str(made.path.resolve()), str(port), str(CLIENTS), str(BATCHING.timeout_us / 1e6)]
        command = [str(python_with(folder, *packages)), str(Path(__file__).with_name(script)), *settings]
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        with running(subprocess.Popen(command, start_new_session=True, **quiet)):
            yield asked(port)
    else:
        engine = ["--engine", "openvino"] if name == OURS_OPENVINO else []
        with model_server(made, *batching_flags(scratch, BATCHING), *engine) as address:
            yield by_grpc(address, made.card)


def _expected(made: Bundle, pixels: np.ndarray) -> np.ndarray:
    loaded = tf.saved_model.load(str(made.path))
    answers = loaded.signatures["analyze"](image=tf.constant(pixels[None]))
    return np.concatenate([answers[name].numpy().ravel() for name in sorted(answers)])


def _is_right(name: str, answer: Answer, pixels: np.ndarray, expected: np.ndarray, console: Console) -> bool:
    """Whether a server is up and answers as the SavedModel; ours must."""
    try:
        answering(answer, pixels, timeout_s=START_S)
    except ModelNotReady as error:
        if name not in PEERS:
            raise
        console.print(f"{name} is left out of this turn: it did not answer within {START_S:g} s ({error})")
        return False
    if not np.allclose(answer(pixels), expected, atol=1e-4):
        sys.exit(f"{name} answers something else than the SavedModel; its speed is of no interest.")
    return True


def _compared(found: Throughputs) -> Iterator[Measured]:
    """Milliseconds an answer of ours by those of each peer, and by those with OpenVINO."""
    for name, backbone, clients in found:
        if name != OURS:
            ours, theirs = 1e3 / found[OURS, backbone, clients], 1e3 / found[name, backbone, clients]
            bar = AHEAD if name in PEERS else None
            title = f"{OURS}, {backbone}, {clients} client{'s' * (clients > 1)}, per answer"
            yield Measured(title, name, ours, theirs, ours / theirs, bar)


def plot(found: Throughputs, path: Path) -> None:
    """Answers a second, one panel for each number of clients and network."""
    panels = sorted({(backbone, clients) for _, backbone, clients in found})
    figure = Figure(figsize=(8, 5), layout="constrained")
    for axes, (backbone, clients) in zip(figure.subplots(2, 2).ravel(), panels, strict=True):
        bars = {name: found[name, backbone, clients] for name, *rest in found if rest == [backbone, clients]}
        drawn = axes.barh(
            list(bars), list(bars.values()), color=["C0" if name in (OURS, OURS_OPENVINO) else "0.7" for name in bars]
        )
        axes.bar_label(drawn, fmt="%.0f", padding=3)
        axes.set(title=f"{backbone}, {clients} client{'s' * (clients > 1)}", xlim=(0, 1.15 * max(bars.values())))
        axes.invert_yaxis()
    figure.supxlabel("answers a second")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=130)


if __name__ == "__main__":
    sys.exit(main())
