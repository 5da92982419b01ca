"""A study's images taken together: what is said of each label over all of them. No word of gRPC."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence

from pydicom.uid import UID

from serving.hospital import header
from serving.incoming import Incoming
from serving.records import StudyFinding
from zoo import errors
from zoo.results import Analysis, Finding, Verdict

MOST_IMAGES = 2000  # all their findings are held until the last one is there
PICTURES = (b"\x89PNG", b"\xff\xd8\xff")


def summary(analyses: Mapping[str, Analysis]) -> tuple[StudyFinding, ...]:
    """For each label the image that it is most probable of speaks for the study.

    Args:
        analyses: by the image's name, all by one version of one model.

    Returns:
        One finding per label, in the card's order; none where there is no analysis. Of equally probable images the
        first counts.

    Source: the standard assumption of multiple-instance learning, that a bag is positive if any of its instances is
        (Dietterich et al. 1997, https://doi.org/10.1016/S0004-3702(96)00034-3), which makes the maximum its score:
        Ilse et al. 2018, eq. 2, https://arxiv.org/abs/1802.04712. It costs specificity: with s for one image, that
        of n independent ones is s**n.
    """
    by_label: dict[str, list[tuple[str, Finding]]] = {}
    for image_id, analysis in analyses.items():
        for finding in analysis.findings:
            by_label.setdefault(finding.label, []).append((image_id, finding))
    return tuple(_leading(found) for found in by_label.values())


def _leading(found: Sequence[tuple[str, Finding]]) -> StudyFinding:
    image_id, leading = max(found, key=lambda each: each[1].probability)
    return StudyFinding(
        label=leading.label,
        probability=leading.probability,
        verdict=leading.verdict,
        image_id=image_id,
        present_on=sum(finding.verdict is Verdict.PRESENT for _, finding in found),
    )


class Study:
    """What a study's images have in common, found out as they come.

    Attributes:
        uid: the study they are of: as the caller says, else as the first DICOM file does, else, for pictures that
            cannot say, a random UUID below 2.25 (PS3.5 section B.2). Empty until one of these is known.
        order: the images' names, as they came.

    Args:
        uid: what the caller says; empty for nothing.

    Raises:
        BadRequest: that is no UID.
    """

    def __init__(self, uid: str) -> None:
        if uid and not UID(uid).is_valid:
            raise errors.BadRequest(
                "study_uid is no UID: at most 64 characters of digits and dots, no part beginning with 0 (PS3.5 9.1)."
            )
        self.uid = uid
        self.order: list[str] = []

    def checked(self, images: Iterable[Incoming]) -> Iterator[Incoming]:
        """The images as they came, each known to be of this study.

        Raises:
            BadRequest: a file is of another study, a name came twice, or there are too many.
        """
        seen: set[str] = set()
        for image in images:
            if image.image_id in seen:
                raise errors.BadRequest("Two images have the same image_id. Give each its own.")
            if len(seen) == MOST_IMAGES:
                raise errors.BadRequest(f"A study has at most {MOST_IMAGES} images here. Use AnalyzeStream for more.")
            seen.add(image.image_id)
            self.order.append(image.image_id)
            self._look(image.data)
            yield image

    def _look(self, data: bytes) -> None:
        own = header.read(data).study_uid
        self.uid = self.uid or own
        if not self.uid and data.startswith(PICTURES):
            self.uid = f"2.25.{uuid.uuid4().int}"
        if own and own != self.uid:
            raise errors.BadRequest(
                "A file is of another Study Instance UID (0020,000D) than the call, or than those before it. Send one "
                "study in one call."
            )
