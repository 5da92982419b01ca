"""The report on paper: a PDF for people, alone or encapsulated in DICOM."""

from __future__ import annotations

import io
from xml.sax.saxutils import escape

from PIL import Image as Pillow
from pydicom import Dataset
from pydicom.sr.codedict import codes as dicom
from pydicom.uid import EncapsulatedPDFStorage
from reportlab import rl_config
from reportlab.lib import colors
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle, getSampleStyleSheet
from reportlab.lib.units import mm
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import Flowable, Image, KeepTogether, Paragraph, SimpleDocTemplate, Spacer, Table

from serving.hospital.results.identity import Made
from serving.hospital.results.instance import blank, reference
from serving.hospital.results.overlay import picture
from serving.hospital.results.source import Source
from serving.predict import drawn
from zoo.cards import Interval, ModelCard
from zoo.imaging.image import Image as Picture
from zoo.imaging.image import Pixels
from zoo.results import Analysis, Caution, Finding, Verdict

SERIES_NUMBER = 9004
TITLE = "Image analysis by a computer"
_WIDTH = A4[0] - 36 * mm
_STYLES = getSampleStyleSheet()
_TEXT = ParagraphStyle("text", parent=_STYLES["Normal"], fontSize=9, leading=12)
_SMALL = ParagraphStyle("small", parent=_TEXT, fontSize=7.5, leading=10, textColor=colors.HexColor("#444444"))
_HEADING = ParagraphStyle("heading", parent=_STYLES["Heading2"], fontSize=11, spaceBefore=8, spaceAfter=3)
_COLOURS = {
    Verdict.PRESENT: colors.HexColor("#a11616"),
    Verdict.NOT_SURE: colors.HexColor("#8a5a00"),
    Verdict.ABSENT: colors.HexColor("#1c6b32"),
    Verdict.UNRATED: colors.HexColor("#555555"),
}
_GRID = [
    ("FONTSIZE", (0, 0), (-1, -1), 8.5),
    ("LINEBELOW", (0, 0), (-1, 0), 0.8, colors.black),
    ("LINEBELOW", (0, 1), (-1, -1), 0.25, colors.HexColor("#bbbbbb")),
    ("VALIGN", (0, 0), (-1, -1), "MIDDLE"),
    ("TOPPADDING", (0, 0), (-1, -1), 2),
    ("BOTTOMPADDING", (0, 0), (-1, -1), 2),
]
_BOX = [
    ("BACKGROUND", (0, 0), (-1, -1), colors.HexColor("#fff0d6")),
    ("BOX", (0, 0), (-1, -1), 1.2, colors.HexColor("#b35c00")),
    ("TOPPADDING", (0, 0), (-1, -1), 5),
    ("BOTTOMPADDING", (0, 0), (-1, -1), 6),
]


def pdf(made: Made, card: ModelCard, image: Picture, source: Source | None = None) -> bytes:
    """The analysis on a page or two of A4, on each its notice, and its caution where it carries one.

    Args:
        made: the analysis.
        card: the model's.
        image: the picture that was analysed.
        source: names the patient and the study; None for a PNG or JPEG, which names none.

    Returns:
        A PDF file, the same bytes for the same analysis. Characters outside Latin-1 are printed as "?".
    """
    rl_config.invariant = 1  # no date and no random identifier of the library's own
    buffer = io.BytesIO()
    document = SimpleDocTemplate(
        buffer,
        pagesize=A4,
        title=TITLE,
        author="Kerascope",
        subject=made.remarks,
        leftMargin=18 * mm,
        rightMargin=18 * mm,
        topMargin=22 * mm,
        bottomMargin=18 * mm,
    )

    def frame(canvas: Canvas, _: object) -> None:
        _frame(canvas, made.analysis)

    document.build(_story(made, card, image, source), onFirstPage=frame, onLaterPages=frame)
    return buffer.getvalue()


def encapsulated(source: Source, made: Made, document: bytes) -> Dataset:
    """The PDF as an Encapsulated PDF Storage instance (PS3.3 A.45.1, C.24.2), unverified.

    Args:
        source: the image.
        made: the analysis of it.
        document: what `pdf` made.
    """
    held = blank(
        source,
        made,
        sop_class=EncapsulatedPDFStorage,
        instance="document",
        series=("document", SERIES_NUMBER),
        modality="DOC",
    )
    held.ConversionType = "WSD"
    held.BurnedInAnnotation = "YES"  # it names the patient
    held.AcquisitionDateTime = made.at.strftime("%Y%m%d%H%M%S.%f")
    held.DocumentTitle = TITLE
    title = Dataset()
    code = dicom.DCM.ImagingMeasurementReport
    title.CodeValue, title.CodingSchemeDesignator, title.CodeMeaning = code.value, code.scheme_designator, code.meaning
    held.ConceptNameCodeSequence = [title]
    held.VerificationFlag = "UNVERIFIED"
    held.SourceInstanceSequence = [reference(source, purpose=True)]
    held.MIMETypeOfEncapsulatedDocument = "application/pdf"
    held.EncapsulatedDocumentLength = len(document)
    held.EncapsulatedDocument = document + b"\0" * (len(document) % 2)
    return held


def _frame(canvas: Canvas, analysis: Analysis) -> None:
    """The notice above, the page below."""
    canvas.saveState()
    canvas.setFillColor(colors.HexColor("#ffe066"))
    canvas.rect(18 * mm, A4[1] - 16 * mm, _WIDTH, 7 * mm, stroke=0, fill=1)
    canvas.setFillColor(colors.black)
    canvas.setFont("Helvetica-Bold", 9.5)
    canvas.drawCentredString(A4[0] / 2, A4[1] - 13.7 * mm, _printable(analysis.notice))
    canvas.setFont("Helvetica", 7.5)
    caution = " Caution: the picture is unusual for the model." if analysis.caution else ""
    canvas.drawString(18 * mm, 10 * mm, f"Made by a program; no person has verified it.{caution}")
    canvas.drawRightString(A4[0] - 18 * mm, 10 * mm, f"Page {canvas.getPageNumber()}")
    canvas.restoreState()


def _story(made: Made, card: ModelCard, image: Picture, source: Source | None) -> list[Flowable]:
    return [
        Paragraph(TITLE, _STYLES["Title"]),
        _facts(made, image, source),
        *_caution(made.analysis.caution),
        _line(f"<b>Question.</b> {_safe(card.question)}", _TEXT),
        _line("Findings", _HEADING),
        _findings(made.analysis.findings),
        _line("Below each measure stands its 95 % interval on the model's test split.", _SMALL),
        KeepTogether([_line("Where the evidence lies", _HEADING), *_pictures(made, image)]),
        KeepTogether([_line("What this is worth", _HEADING), *(_line(text, _SMALL) for text in _worth(made, card))]),
    ]


def _facts(made: Made, image: Picture, source: Source | None) -> Table:
    rows = []
    if source is not None:
        ds = source.dataset
        rows += [
            (
                "Patient",
                f"{_name(source.names['PatientName'])}   ID {ds.PatientID or '-'}   born {_date(ds.PatientBirthDate)}",
            ),
            (
                "Study",
                f"{_date(ds.StudyDate)}   accession {ds.AccessionNumber or '-'}   {ds.get('StudyDescription', '')}",
            ),
        ]
    modality = f" {image.modality}" if image.modality else ""
    rows += [
        ("Image", f"{image.format}{modality}, {image.width} x {image.height} pixels"),
        (
            "Analysed",
            f"{made.at:%Y-%m-%d %H:%M}, by {made.analysis.provenance.model} {made.analysis.provenance.version}",
        ),
    ]
    cells = [(_line(f"<b>{name}</b>", _TEXT), _line(_safe(value), _TEXT)) for name, value in rows]
    return Table(cells, colWidths=(24 * mm, _WIDTH - 24 * mm), style=[("TOPPADDING", (0, 0), (-1, -1), 1)])


def _caution(caution: Caution | None) -> list[Flowable]:
    """A box that nobody overlooks; nothing where the answer carries no caution."""
    if caution is None:
        return []
    text = [_line("<b>Caution: this picture is unusual for the model</b>", _TEXT), _line(_safe(caution.message), _TEXT)]
    return [Spacer(1, 2 * mm), Table([[text]], colWidths=(_WIDTH,), style=_BOX), Spacer(1, 2 * mm)]


def _findings(findings: tuple[Finding, ...]) -> Table:
    rows: list[tuple[object, ...]] = [("Finding", "Verdict", "Probability", "Threshold", "Sensitivity", "Specificity")]
    style = list(_GRID)
    for row, finding in enumerate(findings, start=1):
        point = finding.operating_point
        rows.append(
            (
                _line(_safe(finding.label), _TEXT),
                finding.verdict.value,
                f"{finding.probability:.3f}",
                f"{point.threshold:.3f}" if point else "none",
                _interval(point.sensitivity) if point else "",
                _interval(point.specificity) if point else "",
            )
        )
        style.append(("TEXTCOLOR", (1, row), (1, row), _COLOURS[finding.verdict]))
        style.append(("FONTNAME", (1, row), (1, row), "Helvetica-Bold"))
    widths = [share * _WIDTH for share in (0.28, 0.14, 0.13, 0.13, 0.16, 0.16)]
    return Table(rows, colWidths=widths, repeatRows=1, style=style)


def _interval(interval: Interval) -> str:
    if interval.value is None:
        return "not measured"
    if interval.low is None or interval.high is None:
        return f"{interval.value:.2f}"
    return f"{interval.value:.2f}\n{interval.low:.2f} to {interval.high:.2f}"


def _pictures(made: Made, image: Picture) -> list[Flowable]:
    """The picture, and beside it the leading finding's heat where that finding may be drawn."""
    leading = made.analysis.leading
    if not drawn(leading, below=False):
        words = f"No finding reaches its operating point, so no heat is drawn; {leading.label} comes nearest."
        return [_fitted(image.pixels, _WIDTH * 0.49), _line(_safe(words), _SMALL)]
    pair = [[_fitted(image.pixels, _WIDTH * 0.49), _fitted(picture(image, made, leading), _WIDTH * 0.49)]]
    words = (
        f"Left: the picture as analysed. Right: where the evidence for {leading.label} lies, hottest in the "
        f"{leading.place} of the picture. It is no outline of a lesion."
    )
    return [Table(pair, style=[("LEFTPADDING", (0, 0), (-1, -1), 0)]), _line(_safe(words), _SMALL)]


def _fitted(pixels: Pixels, width: float) -> Image:
    """A picture at `width` points, or less where it would be higher than 90 mm; as JPEG of at most 1200 pixels."""
    drawing = Pillow.fromarray(pixels)
    drawing.thumbnail((1200, 1200))
    buffer = io.BytesIO()
    drawing.save(buffer, "JPEG", quality=90)
    high = width * pixels.shape[0] / pixels.shape[1]
    scale = min(1.0, 90 * mm / high)
    return Image(io.BytesIO(buffer.getvalue()), width=width * scale, height=high * scale)


def _worth(made: Made, card: ModelCard) -> list[str]:
    made_by = made.analysis.provenance
    return [
        f"<b>Meant for.</b> {_safe(card.intended_use)}",
        f"<b>Not for.</b> {_safe(card.not_for)}",
        f"<b>Learnt from.</b> {_safe(card.data.name)}: "
        + _safe(", ".join(f"{count} images {split}" for split, count in card.data.images.items()) or "not stated"),
        f"<b>Model.</b> {_safe(made_by.model)} version {made_by.version}, {_safe(made_by.backbone)}, weights SHA-256 "
        f"{made_by.weights_sha256}; gateway {_safe(made_by.gateway_version)}.",
        f"<b>Analysis.</b> {made_by.analysis_id}; image SHA-256 {made_by.image_sha256}.",
    ]


def _line(text: str, style: ParagraphStyle) -> Paragraph:
    return Paragraph(text, style)


def _safe(text: str) -> str:
    return escape(_printable(text))


def _printable(text: str) -> str:
    """What Helvetica can print."""
    return str(text).encode("latin-1", "replace").decode("latin-1")


def _name(name: str) -> str:
    """`DOE^JANE^^DR=...` as a person writes it: the alphabetic group, family name first (PS3.5 section 6.2.1)."""
    family, *rest = name.split("=")[0].split("^")
    return ", ".join(part for part in (family.strip(), " ".join(filter(None, rest)).strip()) if part) or "-"


def _date(date: str) -> str:
    return f"{date[:4]}-{date[4:6]}-{date[6:]}" if date else "-"
