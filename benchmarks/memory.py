"""`python -m benchmarks.memory`: what a loaded model weighs, by engine, each in a process of its own."""

from __future__ import annotations

import gc
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.bundles import bundle

REGISTRY = Path(__file__).parents[1] / "build" / "bench" / "registry"
BACKBONES = ("mobilenetv2", "densenet121")
SAVED = "as saved"


def main() -> None:
    """Resident memory above TensorFlow's own, once every signature has answered, in MB."""
    table = Table(title="Resident memory of one loaded model, MB")
    for heading in ("Model", "Weights", "Engine", "Loaded and asked", "Most, while loading"):
        table.add_column(heading, justify="left" if heading in ("Model", "Engine") else "right")
    for backbone in BACKBONES:
        made = bundle(backbone, REGISTRY)
        weights = (made.path / "variables" / "variables.data-00000-of-00001").stat().st_size
        for engine in (SAVED, "tensorflow", *(["openvino"] if find_spec("openvino") else [])):
            command = [sys.executable, "-m", "benchmarks.memory", str(made.path), engine]
            said = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
            table.add_row(backbone, f"{weights / 1e6:.0f}", engine, *said)
    Console().print(table)


def one(folder: Path, engine: str) -> None:
    """Loads, asks, and prints two numbers."""
    import numpy as np
    import tensorflow as tf

    from serving.modelserver.servables import load

    tf.function(lambda: tf.nn.conv2d(tf.ones((1, 9, 9, 1)), tf.ones((3, 3, 1, 4)), 1, "SAME"))()  # TensorFlow is up
    before = _megabytes("VmRSS")
    if engine == SAVED:
        kept = tf.saved_model.load(str(folder))
        functions = dict(kept.signatures)
    else:
        kept = load("model", 1, folder, engine=engine)
        functions = {name: signature.function for name, signature in kept.signatures.items()}
    image = tf.constant(np.random.default_rng(0).integers(0, 256, (1, 224, 224, 1), dtype=np.uint8))
    for name, function in functions.items():
        for _ in range(3):
            function(**({"encoded": tf.io.encode_png(image[0])[None]} if "encoded" in name else {"image": image}))
    gc.collect()
    print(f"{_megabytes('VmRSS') - before:.0f} {_megabytes('VmHWM') - before:.0f}")


def _megabytes(field: str) -> float:
    (line,) = (line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(field))
    return int(line.split()[1]) / 1e3


if __name__ == "__main__":
    if len(sys.argv) > 1:
        one(Path(sys.argv[1]), sys.argv[2])
    else:
        main()
