"""What a clinical question is: what is asked of one image or series, and what may be answered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

from zoo import errors


class Kind(str, Enum):
    """How the labels relate, which decides the activation and the loss.

    BINARY: one label, present or absent (one sigmoid).
    MULTICLASS: exactly one of the labels holds (softmax).
    MULTILABEL: any number of labels may hold at once (one sigmoid each).
    ORDINAL: exactly one holds, and they are in order of severity (softmax).
    """

    BINARY = "binary"
    MULTICLASS = "multiclass"
    MULTILABEL = "multilabel"
    ORDINAL = "ordinal"

    @property
    def exclusive(self) -> bool:
        """True where the probabilities of an image add up to one (softmax)."""
        return self in (Kind.MULTICLASS, Kind.ORDINAL)


@dataclass(frozen=True)
class Code:
    """What a label means, in a published terminology.

    Attributes:
        system: the coding scheme designator of DICOM PS3.16, table 8-1: `SCT` for SNOMED CT, `RADLEX` for RadLex.
        value: the code, as the scheme writes it.
        meaning: its preferred term there.
    """

    system: str
    value: str
    meaning: str


@dataclass(frozen=True, kw_only=True)
class Task:
    """One question about one image.

    Attributes:
        name: identifier used in file names and on the wire.
        question: the same, as a clinician would ask it.
        labels: one name per output unit, in output order.
        kind: how the labels relate.
        modalities: DICOM Modality (0008,0060) values the question is about (PS3.3 C.7.3.1.1.1).
        body_parts: DICOM Body Part Examined (0018,0015) values the question is about (PS3.16 annex L).
        views: DICOM View Position (0018,5101) values the question is about, for mammograms the short names of PS3.16
            CID 4014; several where a study has several, each answered by itself. The manifest's column `view`.
        series: whether the labels are of a whole series, not of each of its pictures; it is named in the manifest's
            column `series`.
        uncertain: whether the source may say of a label that it is uncertain, which is neither present nor absent.
        channels: 1 for grey pictures, 3 for colour.
        flip_horizontal: whether a picture mirrored left to right is still a possible patient. False for a chest
            radiograph, where the side of the heart is itself a finding.
        flip_vertical: the same, top to bottom.
        rotation: the largest anatomically plausible turn either way, in degrees, in [0, 180]; 180 is any.
        colour_shift: whether changes of hue and saturation are plausible: stains, dyes, skin, lamps.
        negative: for an exclusive task, the label that means "nothing found", if there is one.
        not_for: what the answer must not be used for, in words.
        codes: what a label means in SNOMED CT or RadLex, by label; a label without a certain code is left out.

    Raises:
        BadConfig: labels blank, repeated or too few, `negative` or a code not among them, an impossible `channels`
            or `rotation`, or a shift of colour where there is none.
    """

    name: str
    question: str
    labels: tuple[str, ...]
    kind: Kind
    modalities: tuple[str, ...] = ()
    body_parts: tuple[str, ...] = ()
    views: tuple[str, ...] = ()
    series: bool = False
    uncertain: bool = False
    channels: int = 1
    flip_horizontal: bool = False
    flip_vertical: bool = False
    rotation: float = 15.0
    colour_shift: bool = False
    negative: str | None = None
    not_for: str = "diagnosis, treatment or triage of patients"
    codes: Mapping[str, Code] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        if not self.labels or len(set(self.labels)) != len(self.labels) or "" in self.labels:
            raise errors.BadConfig(f"{self.name}: labels must be distinct and not blank, got {self.labels}.")
        if self.kind.exclusive and len(self.labels) < 2:
            raise errors.BadConfig(
                f"{self.name}: a {self.kind.value} task needs two labels or more, got {self.labels}."
            )
        if self.kind is Kind.BINARY and len(self.labels) != 1:
            raise errors.BadConfig(f"{self.name}: a binary task has one label, the finding; got {self.labels}.")
        if self.negative is not None and self.negative not in self.labels:
            raise errors.BadConfig(f"{self.name}: negative label {self.negative!r} is not one of {self.labels}.")
        if self.channels not in (1, 3):
            raise errors.BadConfig(f"{self.name}: channels must be 1 (grey) or 3 (colour), got {self.channels}.")
        self._check_changes()

    def _check_changes(self) -> None:
        if not 0 <= self.rotation <= 180:
            raise errors.BadConfig(f"{self.name}: rotation lies in [0, 180] degrees, got {self.rotation}.")
        if self.colour_shift and self.channels == 1:
            raise errors.BadConfig(f"{self.name}: colour_shift needs channels = 3; a grey picture has no hue.")
        if stray := [label for label in self.codes if label not in self.labels]:
            raise errors.BadConfig(f"{self.name}: codes are given for {stray}, which are not among {self.labels}.")
