"""What became of images at the gate, counted; and the bars that the counts are held to."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from scipy.stats import binomtest

STRANGERS_REFUSED = 0.95

ANSWERED, CAUTIONED, REFUSED = 0, 1, 2
Verdicts = npt.NDArray[np.integer]


@dataclass(frozen=True)
class Counted:
    """Images, and how many were refused and how many answered with a caution."""

    images: int = 0
    refused: int = 0
    cautioned: int = 0

    @classmethod
    def of(cls, verdicts: Verdicts) -> Counted:
        """Of `ANSWERED`, `CAUTIONED` or `REFUSED` each, [N]."""
        return cls(len(verdicts), int((verdicts == REFUSED).sum()), int((verdicts == CAUTIONED).sum()))

    def __add__(self, other: Counted) -> Counted:
        return Counted(self.images + other.images, self.refused + other.refused, self.cautioned + other.cautioned)

    @property
    def caught(self) -> int:
        """Refused or cautioned."""
        return self.refused + self.cautioned

    def share(self, count: int) -> float:
        """Of the images."""
        return count / self.images if self.images else float("nan")

    def interval(self, count: int) -> tuple[float, float]:
        """The exact 95 % interval of the share (Clopper and Pearson 1934), images taken as independent."""
        found = binomtest(count, self.images).proportion_ci(0.95, method="exact")
        return float(found.low), float(found.high)


@dataclass(frozen=True, kw_only=True)
class Judged:
    """One way of judging, tried on the images of one case.

    Attributes:
        name: of the way.
        refusals, cautions: the promised shares of own images refused, and refused or cautioned.
        own: held-out images of the kind.
        strangers: by name.
    """

    name: str
    refusals: float
    cautions: float
    own: Counted
    strangers: dict[str, Counted]

    def __add__(self, other: Judged) -> Judged:
        mine, theirs = self.own.images, other.own.images
        return Judged(
            name=self.name,
            refusals=(self.refusals * mine + other.refusals * theirs) / (mine + theirs),
            cautions=(self.cautions * mine + other.cautions * theirs) / (mine + theirs),
            own=self.own + other.own,
            strangers={name: counted + other.strangers[name] for name, counted in self.strangers.items()},
        )


@dataclass(frozen=True, kw_only=True)
class Measured:
    """All that was found of one case.

    Attributes:
        name: of the set, or of the run.
        embedding: whose it is, in words.
        patients: groups of images that are kept on one side.
        folds: how many splits were tried.
        others: the strangers of another modality, whom the bars are about.
        service: the gate as the gateway asks it.
        methods: scores by themselves, without the checks of file, colour and negative; the gate's own last.
    """

    name: str
    embedding: str
    patients: int
    folds: int
    others: tuple[str, ...]
    service: Judged
    methods: tuple[Judged, ...] = field(default=())

    def failures(self) -> Iterator[str]:
        """The bars that do not hold, in sentences."""
        own, promised = self.service.own, self.service.refusals
        low, _ = own.interval(own.refused)
        if low > promised:
            yield (
                f"{self.name}: {own.refused} of {own.images} held-out images are refused, "
                f"at least {low:.2%} by the 95 % interval; {promised:.2%} is promised."
            )
        for name in self.others:
            met = self.service.strangers[name]
            if met.share(met.refused) < STRANGERS_REFUSED:
                yield (
                    f"{self.name}: {met.share(met.refused):.3f} of {name} are refused; {STRANGERS_REFUSED} is wanted."
                )
            if met.caught < met.images:
                yield f"{self.name}: {met.images - met.caught} of {met.images} {name} are answered without a caution."
