"""The report to take away: PDF, DICOM structured report, FHIR, PNG, CSV."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from datetime import datetime
from importlib.util import find_spec
from typing import TYPE_CHECKING

from dashboard.i18n import _
from dashboard.studies import Study
from serving.client import Review
from zoo.cards import ModelCard
from zoo.imaging.image import Image
from zoo.imaging.overlay import captioned, encode_png, heatmap, overlay
from zoo.results import Analysis, Verdict

if TYPE_CHECKING:
    from serving.hospital.results.identity import Made
    from serving.hospital.results.source import Source

NEEDED = ("highdicom", "reportlab", "fhir")
COLUMNS = (
    *("finding", "verdict", "probability", "threshold", "sensitivity", "specificity", "decision", "correction"),
    *("user", "signed", "comment", "model", "version", "analysis", "image_sha256"),
    *("caution_ratio", "caution", "notice"),
)


def lacking(*, dicom: bool, study: Study) -> str:
    """Why a document cannot be made here; empty where it can.

    Args:
        dicom: whether it is a DICOM object, which refers to the DICOM image it is about.
    """
    if any(find_spec(package) is None for package in NEEDED):
        return _("Needs the package's extra: pip install 'kerascope[hospital]'.")
    if dicom and not study.scan.study_uid:
        return _("A DICOM report refers to a DICOM image, and this is none.")
    return ""


@dataclass(frozen=True, kw_only=True, eq=False)
class Report:
    """One analysis with what was said of it, in each form; the documents of a hospital are made by
    `serving.hospital.results`, which is imported only then."""

    study: Study
    analysis: Analysis
    card: ModelCard
    reviews: tuple[Review, ...]

    def pdf(self) -> bytes:
        """Two pages of A4."""
        from serving.hospital.results import document

        return document.pdf(self._made(), self.card, self._picture, self._source())

    def structured(self) -> bytes:
        """A DICOM structured report (TID 1500)."""
        from pydicom import dcmwrite

        from serving.hospital.results.structured import structured_report

        source = self._source()
        assert source is not None
        written = io.BytesIO()
        dcmwrite(written, structured_report(source, self._made(), self.card), enforce_file_format=True)
        return written.getvalue()

    def fhir(self) -> bytes:
        """A FHIR R4B bundle, JSON."""
        from serving.hospital.results import fhir

        return str(fhir.bundle(self._made(), self.card, self._source()).model_dump_json(indent=2)).encode()

    def png(self) -> bytes:
        """The picture at its own size, with the leading finding's evidence where it is not absent, and with the caution
        in its corner where the answer carries one.
        """
        leading, pixels, caution = self.analysis.leading, self._picture.pixels, self.analysis.caution
        if leading.verdict is not Verdict.ABSENT:
            pixels = overlay(pixels, heatmap(leading.evidence)[0])
        if caution is not None:
            told = f"CAUTION: unusual for this model ({caution.ratio:.2f} times the limit)"
            pixels = captioned(pixels, ["RESEARCH USE ONLY", told])
        return encode_png(pixels)

    def csv(self) -> bytes:
        """A row per finding, with the last that was said of it."""
        written = io.StringIO()
        table = csv.DictWriter(written, COLUMNS)
        table.writeheader()
        for finding in self.analysis.findings:
            point, made, caution = finding.operating_point, self.analysis.provenance, self.analysis.caution
            said = next((each for each in reversed(self.reviews) if each.finding == finding.label), None)
            table.writerow(
                {
                    "finding": finding.label,
                    "verdict": finding.verdict.value,
                    "probability": f"{finding.probability:.4f}",
                    "threshold": f"{point.threshold:.4f}" if point else "",
                    "sensitivity": point.sensitivity.value if point else "",
                    "specificity": point.specificity.value if point else "",
                    "decision": said.decision.value if said else "",
                    "correction": said.correction.value if said and said.correction else "",
                    "user": _plain(said.user) if said else "",
                    "signed": said.signed if said else "",
                    "comment": _plain(said.comment) if said else "",
                    "model": made.model,
                    "version": made.version,
                    "analysis": made.analysis_id,
                    "image_sha256": made.image_sha256,
                    "caution_ratio": f"{caution.ratio:.4f}" if caution else "",
                    "caution": caution.message if caution else "",
                    "notice": self.analysis.notice,
                }
            )
        return written.getvalue().encode()

    @property
    def _picture(self) -> Image:
        assert isinstance(self.study.scan.picture, Image)
        return self.study.scan.picture

    def _made(self) -> Made:
        from serving.hospital.results.identity import Made

        return Made(self.analysis, datetime.now())

    def _source(self) -> Source | None:
        from serving.hospital.results import source

        return source.read(self.study.scan.data) if self.study.scan.study_uid else None


def _plain(text: str) -> str:
    """A text that no spreadsheet takes for a formula (https://owasp.org/www-community/attacks/CSV_Injection)."""
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text
