"""`kerascope features`: what a network looks for and what it takes for alike, as pictures and as data."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from rich.console import Console
from rich.progress import Progress

from training import feature_pictures as pictures
from training import manifest as manifests
from training import pipeline
from training.audit.subject import Subject
from training.manifest import Manifest
from training.pointing import read_mask
from zoo import disk, errors
from zoo.cards import RESEARCH_USE_ONLY
from zoo.explain import features, filters
from zoo.imaging.image import read_file
from zoo.imaging.preprocess import preprocess
from zoo.models import classifier

MASK_SIDE = 112  # masks of the unit report are compared at most at this size
SHOWN_UNITS = 6


@dataclass(frozen=True, kw_only=True, eq=False)
class Images:
    """Pictures of a data set, as the network takes them.

    Attributes:
        manifest: the table's rows, N of them.
        pixels: uint8 [N, H, W, C].
    """

    manifest: Manifest
    pixels: pipeline.Pixels


def images(subject: Subject, *, split: str, manifest: Path | None, console: Console | None) -> Images:
    """The pictures of a run's split, or of a manifest.

    Raises:
        BadRequest: a bundle without a manifest, or a split without pictures.
        BadManifest: the manifest or its pictures cannot be read.
    """
    if manifest is not None:
        table = manifests.read(manifest, subject.task)
        key = pipeline.fingerprint(table)
        cache = manifest.resolve().parent / ".cache"
        return Images(manifest=table, pixels=pipeline.load(table, subject.spec, cache, key=key, console=console))
    if subject.run is None:
        raise errors.BadRequest(f"{subject.name} is a bundle and brings no pictures. Give a table: --manifest FILE.")
    table = subject.run.split(split)
    if not len(table):
        raise errors.BadRequest(f"{subject.name} has no pictures in the split {split!r}. There are: train, val, test.")
    return Images(manifest=table, pixels=subject.run.pixels(split, console=console))


def draw_filters(subject: Subject, out: Path) -> list[Path]:
    """`filters.png` and `filters.npy`: the first convolution's kernels [filters, rows, columns, channels]."""
    kernels = filters.first_layer(subject.model)
    note = f"First filters of {subject.name}; middle grey is 0, each by its own maximum"
    return [
        pictures.save(out / "filters.png", pictures.grid(filters.tiles(kernels), note)),
        _saved(out / "filters.npy", kernels),
    ]


def imagine(
    subject: Subject, out: Path, *, layer: str | None, units: Sequence[int], steps: int, seed: int, console: Console
) -> list[Path]:
    """Pictures that excite units of a layer (`layer-<name>.png`) or, without a layer, every label (`labels.png`)."""
    with _progress(console, "Ascending", steps) as bar:
        if layer is None:
            chosen = list(range(len(subject.task.labels)))
            made = filters.activation_maximisation(subject.model, chosen, steps=steps, seed=seed, on_step=bar.step)
            names = [subject.task.labels[label] for label in chosen]
        else:
            chosen = list(units) or list(range(8))
            made = filters.convolution_filters(subject.model, layer, chosen, steps=steps, seed=seed, on_step=bar.step)
            names = [f"unit {unit}" for unit in chosen]
    stem = "labels" if layer is None else f"layer-{layer}"
    note = f"Pictures that excite {'labels' if layer is None else layer} of {subject.name} most, out of noise"
    drawn = pictures.grid(made[..., 0] if made.shape[-1] == 1 else made, note, names)
    return [pictures.save(out / f"{stem}.png", drawn), _saved(out / f"{stem}.npy", made)]


def find_neighbours(
    subject: Subject, known: Images, files: Sequence[Path], out: Path, *, count: int, console: Console
) -> list[Path]:
    """`neighbours.png` and `neighbours.json`: for each file the pictures of the data set it is most like."""
    asked = np.stack([preprocess(read_file(file), subject.spec) for file in files])
    found = features.neighbours(_embedding(subject, known, console), _pooled(subject, asked), count)
    rows = [_row(known, file, *each) for file, *each in zip(files, found.index, found.similarity, strict=True)]
    note = f"Nearest to the left picture in the embedding of {subject.name}, with cosine similarity"
    drawn = pictures.neighbours(asked, known.pixels, found, [_named(subject, known, i) for i in found.index], note)
    return [
        pictures.save(out / "neighbours.png", drawn),
        _written(out / "neighbours.json", {"model": subject.name, "notice": RESEARCH_USE_ONLY, "pictures": rows}),
    ]


def draw_map(
    subject: Subject, known: Images, out: Path, *, method: str, perplexity: float, seed: int, console: Console
) -> list[Path]:
    """`map-<method>.png` and `map-<method>.csv`: every picture of the data set as a point.

    Raises:
        BadRequest: no such method, or too few pictures.
    """
    if method not in ("pca", "tsne"):
        raise errors.BadRequest(f"No map is called {method!r}. There are: pca, tsne.")
    embedding = _embedding(subject, known, console)
    flat = features.pca(embedding) if method == "pca" else features.tsne(embedding, perplexity=perplexity, seed=seed)
    drawn = pictures.scatter(flat, known.manifest.labels, subject.task.labels, f"{subject.name}, {method}")
    names = ("row", "file", "x", "y", *subject.task.labels)
    table = [
        (
            known.manifest.row(i),
            str(known.manifest.files[i]),
            f"{x:.6g}",
            f"{y:.6g}",
            *map(_text, known.manifest.labels[i]),
        )
        for i, (x, y) in enumerate(flat.points)
    ]
    return [pictures.save(out / f"map-{method}.png", drawn), _table(out / f"map-{method}.csv", names, table)]


def report_units(
    subject: Subject, known: Images, out: Path, *, label: str, quantile: float, console: Console
) -> tuple[list[features.Unit], list[Path]]:
    """`units.csv` and `units.png`: which units of the last layer light up where the lesions of a label are.

    Raises:
        BadRequest: no such label; no picture has a lesion drawn.
    """
    column, lesions = subject.label(label), known.manifest.masks[label]
    rows = [i for i, lesion in enumerate(lesions) if lesion is not None and known.manifest.labels[i, column] == 1]
    if not rows:
        raise errors.BadRequest(f"No picture has a lesion of {label!r} drawn: its manifest has no mask or box of one.")
    small = subject.spec.model_copy(
        update={"height": min(subject.spec.height, MASK_SIDE), "width": min(subject.spec.width, MASK_SIDE)}
    )
    masks = np.stack([read_mask(lesion, small) for i in rows if (lesion := lesions[i]) is not None])
    pixels = known.pixels[rows]
    maps = _maps(subject, pixels, console)
    weights = classifier.head(subject.model).get_weights()[0][:, column]
    with _progress(console, "Units", maps.shape[-1]) as bar:
        units = features.dissect(maps, masks, weights, quantile=quantile, on_units=bar.to)
    note = f"Units of {subject.name} that see {label} best: where they light up most, and the lesion's outline"
    drawn = pictures.units(pixels, masks, maps, units[:SHOWN_UNITS], note)
    names = ("unit", "iou", "detector", "threshold", "weight")
    table = [(u.unit, f"{u.iou:.6f}", int(u.detector), f"{u.threshold:.6g}", f"{u.weight:.6g}") for u in units]
    return units, [pictures.save(out / "units.png", drawn), _table(out / "units.csv", names, table)]


def _embedding(subject: Subject, known: Images, console: Console) -> features.FloatArray:
    return np.asarray(_maps(subject, known.pixels, console).mean(axis=(1, 2)), np.float32)


def _pooled(subject: Subject, pixels: pipeline.Pixels) -> features.FloatArray:
    return np.asarray(features.maps(subject.model, pixels).mean(axis=(1, 2)), np.float32)


def _maps(subject: Subject, pixels: pipeline.Pixels, console: Console) -> features.FloatArray:
    with _progress(console, "Looking", len(pixels)) as bar:
        return features.maps(subject.model, pixels, on_batch=bar.to)


def _row(known: Images, file: Path, index: npt.NDArray[np.intp], similarity: features.FloatArray) -> dict[str, Any]:
    near = [
        {"row": known.manifest.row(i), "file": str(known.manifest.files[i]), "similarity": round(float(s), 6)}
        for i, s in zip(index, similarity, strict=True)
    ]
    return {"file": str(file), "neighbours": near}


def _named(subject: Subject, known: Images, index: npt.NDArray[np.intp]) -> list[str]:
    """The labels of each neighbour, for its caption."""
    return [
        ", ".join(name for name, value in zip(subject.task.labels, known.manifest.labels[i], strict=True) if value == 1)
        or "none"
        for i in index
    ]


def _text(value: np.float32) -> str:
    return "" if np.isnan(value) else f"{value:g}"


class _Bar:
    def __init__(self, progress: Progress, title: str, total: int) -> None:
        self._progress, self._task = progress, progress.add_task(title, total=total)

    def step(self) -> None:
        self._progress.advance(self._task)

    def to(self, done: int) -> None:
        self._progress.update(self._task, completed=done)


@contextmanager
def _progress(console: Console, title: str, total: int) -> Iterator[_Bar]:
    with Progress(console=console, transient=True) as progress:
        yield _Bar(progress, title, total)


def _saved(path: Path, values: npt.NDArray[np.generic]) -> Path:
    with disk.whole(path) as hidden:
        np.save(hidden, values)
    return path


def _written(path: Path, values: dict[str, Any]) -> Path:
    disk.write_whole(path, json.dumps(values, indent=2) + "\n")
    return path


def _table(path: Path, names: Sequence[str], rows: Sequence[Sequence[object]]) -> Path:
    with disk.whole(path) as hidden, hidden.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([names, *rows])
    return path
