"""The gate of one set or run, fitted by `training.gate_fitting.fit_gate` fold by fold and tried on all there is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial, reduce
from operator import add
from pathlib import Path

import numpy as np
import numpy.typing as npt

from benchmarks.gate.counting import ANSWERED, CAUTIONED, REFUSED, Counted, Judged, Measured, Verdicts
from benchmarks.gate.methods import Features, Head, Score, methods
from benchmarks.gate.sets import Images, ImageSet, refused_by_file
from benchmarks.gate.strangers import CHANGED
from training import probe
from training.gate_fitting import fit_gate
from training.outputs import Network, Outputs
from training.pipeline import Pixels
from training.reference import CAUTIONS, REFUSALS
from zoo import errors
from zoo.imaging import gate
from zoo.imaging.appearance import appearance
from zoo.reference import Gate

THE_GATE = "both: the gate"
_BATCH = 32
_L2 = 0.1  # of the probe that gives a frozen network logits

Rows = npt.NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class Seen:
    """Pictures as the network takes them, and what is judged of them.

    Attributes:
        pixels: uint8 [N, H, W, C].
        features: of them.
        refused: bool [N], by their files alone.
    """

    pixels: Pixels
    features: Features
    refused: npt.NDArray[np.bool_]

    @classmethod
    def of(cls, pixels: Pixels, network: Network, refused: npt.NDArray[np.bool_] | None = None) -> Seen:
        looks = [appearance(picture) for picture in pixels]
        starts = range(0, len(pixels), _BATCH)
        said = network((np.ascontiguousarray(pixels[start : start + _BATCH]) for start in starts), maps=False)
        texture, layout = (np.stack(part) for part in zip(*looks, strict=True))
        features = Features(texture, layout, said.embedding)
        return cls(pixels, features, np.zeros(len(pixels), np.bool_) if refused is None else refused)

    def take(self, rows: Rows) -> Seen:
        """Some of them."""
        return Seen(self.pixels[rows], self.features.take(rows), self.refused[rows])


@dataclass(frozen=True, kw_only=True, eq=False)
class Case:
    """A network and the images that it learnt from, or would learn from.

    Attributes:
        images: all of them.
        splits: for each fold `train`, `val` or `test` of every image.
        network: whose embedding is compared.
        embedding: whose that is, in words.
        head: the network's, or None for one to be fitted on each fold.
    """

    images: ImageSet
    splits: Sequence[Sequence[str]]
    network: Network
    embedding: str
    head: Head | None = None


def measure(case: Case, strangers: Sequence[Images], cache: Path) -> Measured:
    """Tries the case's gate on held-out images, on strangers and on changed images, all folds together."""
    own = _seen(case, case.images, cache)
    met = {images.name: _seen(case, images, cache) for images in strangers}
    changed = {name: Seen.of(change(own.pixels), case.network) for name, change in CHANGED.items()}
    others = tuple(one.name for one in strangers if one.modality not in (None, case.images.modality))
    found = []
    for split in case.splits:
        fold = _Fold.of(case, split, own)
        tried = met | {name: seen.take(fold.rows["test"]) for name, seen in changed.items()}
        service, alone = fold.gate(tried, others)
        found.append([service, *fold.methods(case, {name: met[name] for name in others}), alone])
    service, *judged = (reduce(add, parts) for parts in zip(*found, strict=True))
    return Measured(
        name=case.images.name,
        embedding=case.embedding,
        patients=len(set(case.images.manifest.groups)),
        folds=len(found),
        others=others,
        service=service,
        methods=tuple(judged),
    )


def _seen(case: Case, images: Images, cache: Path) -> Seen:
    spec = case.images.spec
    return Seen.of(images.pixels(spec, cache), case.network, refused_by_file(images, spec.channels))


@dataclass(frozen=True, eq=False)
class _Fold:
    """One split of a case.

    Attributes:
        rows: of the images of `train`, `val` and `test`.
        parts: the images.
        patients: whose they are.
    """

    rows: dict[str, Rows]
    parts: dict[str, Seen]
    patients: dict[str, Sequence[str]]

    @classmethod
    def of(cls, case: Case, split: Sequence[str], own: Seen) -> _Fold:
        rows = {side: np.flatnonzero(np.asarray(split) == side) for side in ("train", "val", "test")}
        groups = np.asarray(case.images.manifest.groups)
        patients: dict[str, Sequence[str]] = {side: list(groups[rows[side]]) for side in rows}
        return cls(rows, {side: own.take(rows[side]) for side in rows}, patients)

    def gate(self, tried: dict[str, Seen], others: Sequence[str]) -> tuple[Judged, Judged]:
        """The gate in service, tried on all; and without the check of the file on `others`, as a score alone."""
        said = {side: _outputs(part.features.embedding) for side, part in self.parts.items()}
        known = fit_gate(said, {side: part.pixels for side, part in self.parts.items()}, self.patients)
        shares = {"refusals": known.refusal_share or 0.0, "cautions": known.caution_share or 0.0}
        held = self.parts["test"]
        alone, verdicts = _verdicts(known, held), {name: _verdicts(known, seen) for name, seen in tried.items()}
        served = {name: _with_file(verdicts[name], seen) for name, seen in tried.items()}
        return (
            Judged(name="in service", own=_with_file(alone, held), strangers=served, **shares),
            Judged(
                name=THE_GATE,
                own=Counted.of(alone),
                strangers={name: Counted.of(verdicts[name]) for name in others},
                **shares,
            ),
        )

    def methods(self, case: Case, strangers: dict[str, Seen]) -> Iterator[Judged]:
        """Each method's score with limits at the shares that the gate wants of all its comparisons together."""
        train, val, test = (self.parts[side].features for side in ("train", "val", "test"))
        patients = [*self.patients["train"], *self.patients["val"]]
        head = case.head or _probe(case, train, val, self.rows)
        for method in methods(exclusive=case.images.exclusive):
            score, (refusal, caution) = method.limits(train, val, patients, head, (REFUSALS, CAUTIONS))
            counted = partial(_beyond, score, caution.value, refusal.value)
            yield Judged(
                name=method.name,
                refusals=refusal.share,
                cautions=caution.share,
                own=counted(test),
                strangers={name: counted(seen.features) for name, seen in strangers.items()},
            )


def _outputs(embedding: npt.NDArray[np.float32]) -> Outputs:
    """What `fit_gate` asks of a network, which is the embedding."""
    count = len(embedding)
    return Outputs(np.zeros((count, 0), np.float32), embedding, np.zeros((count, 0, 0, 0), np.float32))


def _verdicts(known: Gate, seen: Seen) -> Verdicts:
    """What the gateway does with each picture once its file has passed, [N]."""
    pairs = zip(seen.pixels, seen.features.embedding, strict=True)
    return np.array([_verdict(known, picture, embedding) for picture, embedding in pairs], np.int8)


def _verdict(known: Gate, picture: Pixels, embedding: npt.NDArray[np.float32]) -> int:
    try:
        return ANSWERED if gate.check_both(picture, embedding, known) is None else CAUTIONED
    except errors.ImageRefused:
        return REFUSED


def _with_file(verdicts: Verdicts, seen: Seen) -> Counted:
    """With those that the check of the file refuses first."""
    return Counted.of(np.where(seen.refused, REFUSED, verdicts))


def _beyond(score: Score, first: float, second: float, features: Features) -> Counted:
    """Pictures beyond either limit of a score."""
    reached = score(features)
    return Counted.of(np.where(reached > second, REFUSED, np.where(reached > first, CAUTIONED, ANSWERED)))


def _probe(case: Case, train: Features, val: Features, rows: dict[str, Rows]) -> Head:
    """A logistic regression on the embedding of the frozen network."""
    labels = case.images.manifest.labels
    found = probe.fit(
        (train.embedding, labels[rows["train"]]),
        (val.embedding, labels[rows["val"]]),
        exclusive=case.images.exclusive,
        weights=np.ones((2, labels.shape[1])),
        strengths=(_L2,),
    )
    return Head(found.kernel, found.bias, case.images.exclusive)
