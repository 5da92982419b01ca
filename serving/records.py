"""What the store keeps, as the client gives it back: results, reviews, and the state of what was received.

Needs neither TensorFlow nor SQLAlchemy.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from zoo.errors import KerascopeError
from zoo.results import Analysis, Verdict


class Status(str, Enum):
    """Where a received image stands with one model."""

    RECEIVED = "received"
    ANALYSING = "analysing"
    DONE = "done"
    REFUSED = "refused"
    FAILED = "failed"


class Decision(str, Enum):
    """What a reviewer says of a finding, or of a whole analysis.

    The first three are those of IHE's assessment of AI results: a finding is accepted, rejected or modified. A comment
    leaves the finding as it was.
    """

    ACCEPT = "accept"
    REJECT = "reject"
    CORRECT = "correct"
    COMMENT = "comment"


@dataclass(frozen=True, kw_only=True)
class Review:
    """What one person said of one analysis. A later review of the same finding counts before an earlier one.

    Attributes:
        analysis_id: of the analysis.
        decision: accept, reject, correct or comment.
        user: who said it, as the caller named them; "(sent by X)" follows where its token or certificate says another.
        finding: a label's name; empty for the whole analysis.
        correction: what the finding should have been: present or absent; only with `correct`.
        comment: free text; it is kept in the store and written to no log.
        signed: whether the reviewer stands by it as their own reading.
        created: when the store took it, UTC; None before.
    """

    analysis_id: str
    decision: Decision
    user: str
    finding: str = ""
    correction: Verdict | None = None
    comment: str = ""
    signed: bool = False
    created: datetime | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class StoredAnalysis:
    """One answer of the gateway, as the store holds it.

    Attributes:
        sequence: its number in the store; a later answer has a higher one.
        analysis_id: its random identifier.
        created: when, UTC.
        model: the model's name.
        version: its version; 0 where the image was refused and the newest was asked for.
        status: done or refused.
        image_sha256: of the bytes received.
        study_uid: DICOM Study Instance UID (0020,000D); empty for PNG and JPEG.
        instance_uid: DICOM SOP Instance UID (0008,0018); likewise.
        analysis: the answer; None where the image was refused.
        error: the refusal's name in zoo.errors; empty where there is an answer.
        reason: the refusal's reason code; likewise.
        detail: the refusal's message; likewise.
        reviews: what was said of it, oldest first.
    """

    sequence: int
    analysis_id: str
    created: datetime
    model: str
    version: int
    status: Status
    image_sha256: str
    study_uid: str = ""
    instance_uid: str = ""
    analysis: Analysis | None = None
    error: str = ""
    reason: str = ""
    detail: str = ""
    reviews: tuple[Review, ...] = ()


@dataclass(frozen=True, kw_only=True)
class StudyItem:
    """One image of a study and one model.

    Attributes:
        instance_uid: the image's SOP Instance UID.
        model: the model's name; empty where no rule chose one.
        status: where it stands.
        reason: why it was refused or failed; empty otherwise.
        analysis_id: of the answer; empty while there is none.
        caution_ratio: how unusual the image is for the model, as `zoo.results.Caution.ratio`; None where the answer
            carries no caution, or there is none.
    """

    instance_uid: str
    model: str
    status: Status
    reason: str = ""
    analysis_id: str = ""
    caution_ratio: float | None = None


@dataclass(frozen=True, kw_only=True)
class Study:
    """One line of a worklist. Nothing of the patient: the study's UID leads to the rest in the PACS.

    Attributes:
        number: its number in the store; a later study has a higher one.
        study_uid: Study Instance UID.
        received: when its first image came, UTC.
        items: its images, in the order they came.
    """

    number: int
    study_uid: str
    received: datetime
    items: tuple[StudyItem, ...]


@dataclass(frozen=True, kw_only=True, eq=False)
class ImageAnswer:
    """What came of one image of a stream or a study: findings or an error, and never both.

    Attributes:
        image_id: the caller's own name for it.
        analysis: the findings; None where there are none.
        error: why there are none: what `Client.analyze` would have raised.
        sequence: the stored answer's number; 0 where nothing was stored.
        from_store: whether it had been answered before, and no model was asked.
    """

    image_id: str
    analysis: Analysis | None = None
    error: KerascopeError | None = None
    sequence: int = 0
    from_store: bool = False


@dataclass(frozen=True, kw_only=True)
class StudyFinding:
    """One label's answer for a study: that of the image on which it is most probable.

    Attributes:
        label: the label's name.
        probability: the highest calibrated one of any image, in [0, 1].
        verdict: that image's.
        image_id: that image.
        present_on: on how many images the verdict is "present".
    """

    label: str
    probability: float
    verdict: Verdict
    image_id: str
    present_on: int


@dataclass(frozen=True, kw_only=True, eq=False)
class StudyAnswer:
    """What a model says of a study.

    Attributes:
        study_uid: the study's UID; the gateway's own where nothing named one.
        model, version: which model answered.
        images: each image's answer, in the order they were sent.
        summary: one finding per label, in the card's order; empty where every image was turned away.
        unusual: how many images' answers carry a caution: they are unusual for the model.
        notice: to be shown wherever the result is shown.
    """

    study_uid: str
    model: str
    version: int
    images: tuple[ImageAnswer, ...]
    summary: tuple[StudyFinding, ...]
    unusual: int
    notice: str
