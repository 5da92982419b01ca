"""What a result says, in codes: SNOMED CT and DICOM where they have a word for it, Kerascope's own where not."""

from __future__ import annotations

import re

from highdicom.coding_schemes import CodingSchemeIdentificationItem
from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code

from zoo import tasks
from zoo.cards import ModelCard
from zoo.results import Caution, Verdict

PRIVATE = "99KERASCOPE"  # a private scheme begins with 99 (PS3.3 section 8.2)
SCHEME = CodingSchemeIdentificationItem(PRIVATE, "Kerascope: labels and measures without a published code")

UNITLESS = Code("1", "UCUM", "no units")
THRESHOLD = Code("threshold", PRIVATE, "Operating point: threshold of the probability")
SENSITIVITY = Code("sensitivity", PRIVATE, "Sensitivity at the operating point, test split")
SPECIFICITY = Code("specificity", PRIVATE, "Specificity at the operating point, test split")
UNUSUAL_RATIO = Code("unusual-ratio", PRIVATE, "Distance from the training images / limit of the caution")
REFUSAL_RATIO = Code("refusal-ratio", PRIVATE, "Limit of refusal / limit of the caution")
LIKENESS = Code("likeness", PRIVATE, "Image compared with the model's training images")
UNUSUAL = Code("unusual", PRIVATE, "Unusual for this model")
COMMENT = codes.DCM.Comment
PROBABILITY = codes.DCM.Probability
PRESENCE = codes.DCM.PresenceOfProperty
VERDICTS = {  # PS3.16 CID 240 Present-Absent
    Verdict.PRESENT: codes.SCT.Present,
    Verdict.ABSENT: codes.SCT.Absent,
    Verdict.NOT_SURE: codes.SCT.Undetermined,
    Verdict.UNRATED: Code("unrated", PRIVATE, "Not rated: the model has no operating point"),
}


def finding(card: ModelCard, label: str) -> Code:
    """A label's meaning: its code in the task, else a private one made of its name."""
    known = tasks.TASKS.get(card.task)
    if known is not None and label in known.codes:
        code = known.codes[label]
        return Code(code.value, code.system, code.meaning)
    return Code(private_value(label), PRIVATE, label[:64])


def private_value(label: str) -> str:
    """`Pleural_Thickening` -> `pleural-thickening`; past 16 characters it is a Long Code Value (PS3.3 section 8.1)."""
    return re.sub(r"[^a-z0-9]+", "-", label.lower()).strip("-")[:64] or "label"


def unusual(caution: Caution | None) -> list[tuple[Code, float]]:
    """How unusual the image is, and from where on images are refused; both in units of the caution's limit."""
    if caution is None:
        return []
    numbers = ((UNUSUAL_RATIO, caution.ratio), (REFUSAL_RATIO, caution.refusal_ratio))
    return [(name, value) for name, value in numbers if value is not None]
