"""A finished run of a tiny network on spots whose place is known, made without the training loop.

Pictures are noise of 64 x 64 pixels with a bright spot, a dark spot, both or neither, two to a patient; the network is
`small-cnn` with random weights whose head was fitted by the probe.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from training import manifest, probe
from training.config import RunConfig, Split
from training.outputs import Network
from training.runs import Run
from training.splits import assign
from zoo.models import classifier

SIDE = 64
LABELS = {"multilabel": ("bright", "dark"), "multiclass": ("bright", "dark", "none"), "binary": ("bright",)}


def spots(folder: Path, kind: str, *, patients: int = 60, seed: int = 0) -> Path:
    """Writes pictures, masks and a manifest; gives the manifest's path."""
    rng = np.random.default_rng(seed)
    rows = [_picture(folder, kind, index, rng) for index in range(2 * patients)]
    table = pd.DataFrame(rows).fillna("")
    table.to_csv(folder / "manifest.csv", index=False)
    return folder / "manifest.csv"


def _picture(folder: Path, kind: str, index: int, rng: np.random.Generator) -> dict[str, object]:
    there = {"bright": rng.random() < 0.4, "dark": rng.random() < 0.4}
    if kind == "multiclass":
        there["dark"] &= not there["bright"]
    pixels = rng.normal(110, 12, (SIDE, SIDE))
    row: dict[str, object] = {"file": f"DOE_JANE_{index}.png", "patient_id": f"DOE^JANE {index // 2}"}
    for name, sign in (("bright", 1), ("dark", -1)):
        x, y = rng.uniform(12, SIDE - 12, 2)
        squared = (np.arange(SIDE)[:, None] - y) ** 2 + (np.arange(SIDE) - x) ** 2
        if there[name]:
            pixels += sign * rng.uniform(25, 90) * np.exp(-squared / (2 * 5**2))
            Image.fromarray(np.where(squared < 64, 255, 0).astype(np.uint8)).save(folder / f"{name}_{index}.png")
            if name in LABELS[kind]:
                row[f"mask_{name}"] = f"{name}_{index}.png"
    Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)).save(folder / str(row["file"]))
    there["none"] = not (there["bright"] or there["dark"])
    return row | {label: int(there[label]) for label in LABELS[kind]}


def make_run(folder: Path, kind: str = "multilabel") -> Run:
    """The run folder as training leaves it."""
    (folder / "data").mkdir(parents=True)
    config = RunConfig.parse(
        {
            "name": f"spots-{kind}",
            "task": "spots",
            "task_definition": {"question": "Is there a spot?", "labels": LABELS[kind], "kind": kind},
            "manifest": str(spots(folder / "data", kind)),
            "backbone": "small-cnn",
            "image_size": SIDE,
            "licence": "CC0-1.0",
        },
        source="test",
    )
    run = Run(folder / "run")
    run.write_json("config.json", config.model_dump(mode="json"))
    images = assign(manifest.read(config.manifest, run.task), Split())
    environment = {"code_revision": "abc", "packages": {"keras": "3"}, "data": "spots", "fingerprint": "0" * 64}
    run.write_json("environment.json", environment | {"grouped_by": images.grouped_by})
    run.write_split(images)
    score = _fit(run)
    history = {"stage": [2, 2, 3], "epoch": [1, 2, 1], "loss": [0.6, 0.5, 0.4], "val_loss": [0.7, 0.6, 0.5]}
    pd.DataFrame(history).to_csv(run.path / "history.csv", index=False)
    result = {"probe_score": score, "score": score, "score_name": "mean AUROC", "kept": "probe", "seconds": 1.0}
    run.write_json("result.json", result)
    return run


def _fit(run: Run) -> float:
    model = classifier.build(backbone="small-cnn", labels=len(run.task.labels), spec=run.spec)
    parts, network = [], Network(model)
    for name in ("train", "val"):
        images = run.split(name)
        parts.append((network([run.pixels(name)], maps=False).embedding, images.labels))
    weights = np.ones((2, len(run.task.labels)))
    head = probe.fit(parts[0], parts[1], exclusive=run.task.kind.exclusive, weights=weights)
    classifier.head(model).set_weights([head.kernel, head.bias])
    model.save(run.path / "model.keras")
    return head.score
