"""The gate of one set or run, fitted by `training.gate_fitting.fit_gate` fold by fold and tried on all there is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import add
from pathlib import Path

import numpy as np
import numpy.typing as npt

from benchmarks.gate.counting import ANSWERED, CAUTIONED, REFUSED, Counted, Judged, Measured, Verdicts
from benchmarks.gate.methods import Features, Head, methods
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
        features = Features(*(np.stack(part) for part in zip(*looks, strict=True)), said.embedding)
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
    folds = [_fold(case, split, own, met, changed, others) for split in case.splits]
    service, *judged = (reduce(add, parts) for parts in zip(*folds, strict=True))
    return Measured(
        name=case.images.name,
        embedding=case.embedding,
        patients=len(set(case.images.manifest.groups)),
        folds=len(folds),
        others=others,
        service=service,
        methods=tuple(judged),
    )


def _seen(case: Case, images: Images, cache: Path) -> Seen:
    spec = case.images.spec
    return Seen.of(images.pixels(spec, cache), case.network, refused_by_file(images, spec.channels))


def _fold(
    case: Case,
    split: Sequence[str],
    own: Seen,
    met: dict[str, Seen],
    changed: dict[str, Seen],
    others: Sequence[str],
) -> list[Judged]:
    """The gate in service, then each method, then the gate by its scores and checks of the picture alone."""
    rows = {side: np.flatnonzero(np.asarray(split) == side) for side in ("train", "val", "test")}
    patients = {side: [case.images.manifest.groups[row] for row in rows[side]] for side in rows}
    parts = {side: own.take(rows[side]) for side in rows}
    said = {side: _outputs(part.features.embedding) for side, part in parts.items()}
    known = fit_gate(said, {side: part.pixels for side, part in parts.items()}, patients)
    held, tried = parts["test"], met | {name: seen.take(rows["test"]) for name, seen in changed.items()}
    verdicts = {name: _verdicts(known, seen) for name, seen in tried.items()}
    own_verdicts = _verdicts(known, held)

    def judged(name: str, by_file: bool, names: Sequence[str]) -> Judged:
        strangers = {one: _counted(verdicts[one], tried[one], by_file) for one in names}
        return Judged(
            name=name,
            refusals=known.refusal_share or 0.0,
            cautions=known.caution_share or 0.0,
            own=_counted(own_verdicts, held, by_file),
            strangers=strangers,
        )

    compared = _compared(case, parts, rows, [*patients["train"], *patients["val"]], {one: met[one] for one in others})
    return [judged("in service", True, list(tried)), *compared, judged(THE_GATE, False, others)]


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
        cautions = (gate.check_pixels(picture, known), gate.check_embedding(embedding, known))
    except errors.ImageRefused:
        return REFUSED
    return ANSWERED if gate.graver(*cautions) is None else CAUTIONED


def _counted(verdicts: Verdicts, seen: Seen, by_file: bool) -> Counted:
    return Counted.of(np.where(seen.refused, np.int8(REFUSED), verdicts) if by_file else verdicts)


def _compared(
    case: Case, parts: dict[str, Seen], rows: dict[str, Rows], patients: Sequence[str], strangers: dict[str, Seen]
) -> Iterator[Judged]:
    """Each method's score with limits at the shares that the gate wants of all its comparisons together."""
    train, val, test = (parts[side].features for side in ("train", "val", "test"))
    head = case.head or _probe(case, train, val, rows)
    for method in methods(exclusive=case.images.exclusive):
        score, (refusal, caution) = method.limits(train, val, patients, head, (REFUSALS, CAUTIONS))

        def counted(features: Features, score=score, first=caution.value, second=refusal.value) -> Counted:
            reached = score(features)
            return Counted.of(np.where(reached > second, REFUSED, np.where(reached > first, CAUTIONED, ANSWERED)))

        yield Judged(
            name=method.name,
            refusals=refusal.share,
            cautions=caution.share,
            own=counted(test),
            strangers={name: counted(seen.features) for name, seen in strangers.items()},
        )


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
