"""What a user has opened: pictures and series, each with what a model said of it. No widget, no gateway."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import datetime, timezone
from functools import cached_property

from dashboard import pictures
from dashboard.viewer.pixels import Slice, slice_of
from serving.client import Review
from zoo import errors
from zoo.imaging import image
from zoo.imaging.image import Image, Pixels
from zoo.results import Analysis, Explanation, Method

Outcome = Analysis | errors.KerascopeError


@dataclass(frozen=True, kw_only=True, eq=False)
class Scan:
    """One file.

    Attributes:
        data: as it came.
        study_uid, series_uid: of DICOM files, (0020,000D) and (0020,000E); else empty.
        place: what a series is sorted by.
        patient: of DICOM files, the same for the same Patient ID (0010,0020) as long as this process lives, and not
            to be turned back; else empty.
        taken: Study Date (0008,0020) and Time, as far as the file tells them.
    """

    data: bytes
    study_uid: str = ""
    series_uid: str = ""
    place: tuple[float, float] = (0.0, 0.0)
    patient: str = ""
    taken: datetime | None = None

    @cached_property
    def sha256(self) -> str:
        """Of the file's content, as the gateway names it."""
        return hashlib.sha256(self.data).hexdigest()

    @cached_property
    def picture(self) -> Image | errors.BadImage:
        """The picture, or why there is none."""
        try:
            return image.read(self.data)
        except errors.BadImage as error:
            return error

    @cached_property
    def view(self) -> Slice | None:
        """The same for the viewer; None where there is no picture."""
        return slice_of(self.data, self.picture, self.sha256) if isinstance(self.picture, Image) else None

    @cached_property
    def screen(self) -> Pixels | None:
        """The same at the size of a screen, uint8."""
        return pictures.for_screen(self.picture) if isinstance(self.picture, Image) else None

    @cached_property
    def facts(self) -> str:
        """Format, modality and size in words; empty where there is no picture."""
        seen = self.picture
        if "view" not in self.__dict__:
            self.let_go()  # of a line of the worklist, not of what is looked at
        if not isinstance(seen, Image):
            return ""
        return " ".join(filter(None, [seen.format, seen.modality, f"{seen.width} x {seen.height} pixels"]))

    def let_go(self) -> None:
        """Forgets what was decoded, which is several times as large as the file; asked again, it is decoded again."""
        for name in ("picture", "view", "screen"):
            self.__dict__.pop(name, None)


@dataclass(kw_only=True, eq=False)
class Study:
    """A picture, or a series of slices.

    Attributes:
        title: what to call it on the page; never a file's name, which may be a patient's.
        scans: in their order.
        asked: the scan that the models are asked about.
        received: when it was opened, UTC.
        refusal: why nothing of it can be read, where that is known already.
        outcomes: per scan's SHA-256, model and version, the analysis or the refusal.
        explanations: per scan's SHA-256, model, version, label and method, the map.
        reviews: what this user said where the gateway has no store to keep it.
    """

    title: str
    scans: tuple[Scan, ...]
    asked: int = 0
    received: datetime = field(default_factory=lambda: datetime.now(timezone.utc))
    refusal: errors.BadImage | None = None
    outcomes: dict[tuple[str, str, int], Outcome] = field(default_factory=dict)
    explanations: dict[tuple[str, str, int, str, Method], Explanation] = field(default_factory=dict)
    reviews: list[Review] = field(default_factory=list)

    @property
    def scan(self) -> Scan:
        """The one that the models are asked about."""
        return self.scans[self.asked]

    @property
    def key(self) -> str:
        """Of the content, for widgets."""
        return self.scans[0].sha256[:16]

    @property
    def when(self) -> datetime:
        """When it was taken, as far as its files say; else when it was opened."""
        return self.scans[0].taken or self.received.replace(tzinfo=None)

    def same_patient(self, other: Study) -> bool:
        """Whether both are of one patient, by their files."""
        return bool(self.scans[0].patient) and self.scans[0].patient == other.scans[0].patient

    @property
    def size_bytes(self) -> int:
        """Of all its files."""
        return sum(len(scan.data) for scan in self.scans)

    @property
    def slices(self) -> list[Slice]:
        """For the viewer; none where one of them cannot be shown."""
        views = [scan.view for scan in self.scans]
        return [view for view in views if view] if all(views) else []

    def let_go(self) -> None:
        """As `Scan.let_go`, for all of it."""
        for scan in self.scans:
            scan.let_go()

    def outcome(self, model: str) -> Outcome | None:
        """The newest version's answer among those given, if this model was asked."""
        given = {
            version: outcome
            for (sha256, name, version), outcome in self.outcomes.items()
            if (sha256, name) == (self.scan.sha256, model)
        }
        return given[max(given)] if given else None

    def analyses(self) -> list[Analysis]:
        """All that models said of the scan they are asked about."""
        return [
            outcome
            for (sha256, _model, _version), outcome in self.outcomes.items()
            if sha256 == self.scan.sha256 and isinstance(outcome, Analysis)
        ]
