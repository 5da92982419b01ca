"""What `kerascope predict` prints: findings with what they are worth, for people or as JSON. Needs no TensorFlow."""

from __future__ import annotations

import json as jsonlib
from dataclasses import asdict
from pathlib import Path

import numpy as np
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from serving.client import Client
from zoo import errors
from zoo.cards import Interval, OperatingPoint
from zoo.imaging.image import read_file
from zoo.imaging.overlay import encode_png, heatmap
from zoo.imaging.overlay import overlay as lay_over
from zoo.results import Analysis, Finding, Verdict

HEADINGS = ("finding", "verdict", "probability", "threshold", "sensitivity", "specificity", "evidence peaks")
STYLES = {Verdict.PRESENT: "bold red", Verdict.NOT_SURE: "yellow", Verdict.ABSENT: "green", Verdict.UNRATED: "dim"}


def predict(
    path: Path,
    *,
    model: str,
    gateway: str = "localhost:50051",
    version: int = 0,
    overlay: Path | None = None,
    below: bool = False,
    json: bool = False,
    console: Console | None = None,
) -> None:
    """Asks a gateway about one file and prints the answer.

    Args:
        path: a DICOM, PNG or JPEG file.
        model: its name.
        gateway: host:port.
        version: of the model; 0 for the newest.
        overlay: where to write the leading finding's map over the picture, as PNG.
        below: draws the map even where that finding is below its operating point; else the picture is left bare.
        json: prints JSON in place of a table.
        console: where to print; standard output if None.

    Raises:
        BadImage, ImageRefused, UnknownModel, ModelNotReady, BackendTimeout: as `Client.analyze`.
        BadRequest: the overlay cannot be written.
    """
    console = console or Console()
    data = _bytes(path)
    with Client(gateway) as client:
        analysis = client.analyze(data, model=model, version=version)
    if overlay is not None:
        write_overlay(path, analysis.leading, overlay, below=below)
    if json:
        console.print_json(jsonlib.dumps(as_dict(analysis, overlay, below=below)))
    else:
        show(analysis, console, overlay, below=below)


def drawn(finding: Finding, *, below: bool) -> bool:
    """Whether a finding's map is drawn: a map of something absent misleads, and is drawn only for who asks for it."""
    point = finding.operating_point
    return below or point is None or finding.probability >= point.threshold


def show(analysis: Analysis, console: Console, overlay: Path | None = None, *, below: bool = False) -> None:
    """Prints an analysis as a table, with its caution, where it carries one, and its notice."""
    made_by, image = analysis.provenance, analysis.image
    modality = f" {image.modality}" if image.modality else ""
    console.print(
        f"{made_by.model} version {made_by.version} ({made_by.backbone}) on a {image.format}{modality} of "
        f"{image.width} x {image.height} pixels, {analysis.timings.total_ms:.0f} ms"
    )
    if analysis.caution is not None:
        console.print(f"Caution. {analysis.caution.message}", style="bold yellow", markup=False)
    console.print(_table(analysis))
    console.print("Below each threshold its not-sure zone; below each measure its 95 % interval on the test split.")
    leading = analysis.leading
    console.print(
        f"Leading: {leading.label}, {leading.verdict.value}; its evidence peaks in the {leading.place} of the picture.",
        markup=False,
    )
    if overlay is not None:
        console.print(_about_overlay(leading, overlay, below=below), markup=False)
    console.print(analysis.notice, style="bold")


def _table(analysis: Analysis) -> Table:
    """Fits a terminal of 80 characters: intervals stand below their values."""
    table = Table(box=box.SIMPLE_HEAD, padding=0, pad_edge=False, show_edge=False)
    for heading in HEADINGS:
        table.add_column(heading, no_wrap=heading in ("finding", "verdict"))
    for finding in analysis.findings:
        point = finding.operating_point
        table.add_row(
            escape(finding.label),
            f"[{STYLES[finding.verdict]}]{finding.verdict.value}[/]",
            f"{finding.probability:.3f}",
            _threshold(point),
            _interval(point.sensitivity) if point else "",
            _interval(point.specificity) if point else "",
            finding.place,
        )
    return table


def _threshold(point: OperatingPoint | None) -> str:
    if point is None:
        return "none"
    low, high = point.not_sure
    return f"{point.threshold:.3f}\n{low:.2f}-{high:.2f}" if low < high else f"{point.threshold:.3f}"


def _interval(interval: Interval) -> str:
    if interval.value is None:
        return "not measured"
    if interval.low is None or interval.high is None:
        return f"{interval.value:.2f}"
    return f"{interval.value:.2f}\n{interval.low:.2f}-{interval.high:.2f}"


def _about_overlay(finding: Finding, overlay: Path, *, below: bool) -> str:
    """What the overlay shows, for who cannot see it and for who sees too much in it."""
    if not drawn(finding, below=below):
        return (
            f"Overlay in {overlay}: {finding.label} is below its operating point, so no heat is drawn. "
            "--below draws it all the same."
        )
    strength = heatmap(finding.evidence)[1]
    if strength == 0:
        return f"Overlay in {overlay}: nothing in the picture speaks for {finding.label}, so no heat is drawn."
    verdict = finding.verdict
    caution = "" if verdict is Verdict.PRESENT else f" The finding is {verdict.value}: read the map with care."
    return (
        f"Overlay in {overlay}: the heat shows where the evidence for {finding.label} lies, hottest in the "
        f"{finding.place} of the picture, {strength:.2f} logits at its peak. It is no outline of a lesion.{caution}"
    )


def write_overlay(path: Path, finding: Finding, overlay: Path, *, below: bool = False) -> None:
    """Lays a finding's evidence over its picture, at the picture's own size, and writes it as PNG.

    The picture is left bare where the finding is below its operating point, unless `below`.

    Raises:
        BadImage: `path` is unreadable.
        BadRequest: `overlay` cannot be written.
    """
    heat, _ = heatmap(finding.evidence if drawn(finding, below=below) else np.zeros_like(finding.evidence))
    try:
        overlay.write_bytes(encode_png(lay_over(read_file(path).pixels, heat)))
    except OSError as error:
        raise errors.BadRequest(f"The overlay {overlay} cannot be written: {error.strerror}.") from None


def as_dict(analysis: Analysis, overlay: Path | None = None, *, below: bool = False) -> dict[str, object]:
    """An analysis as plain values, for JSON; without the embedding. `overlay_label` is None for a bare picture."""
    shown = overlay is not None and drawn(analysis.leading, below=below)
    return {
        "findings": [_finding_dict(finding) for finding in analysis.findings],
        "leading": analysis.leading.label,
        "overlay": str(overlay) if overlay else None,
        "overlay_label": analysis.leading.label if shown else None,
        "provenance": asdict(analysis.provenance),
        "image": asdict(analysis.image),
        "timings": asdict(analysis.timings),
        "caution": asdict(analysis.caution) if analysis.caution else None,
        "notice": analysis.notice,
    }


def _finding_dict(finding: Finding) -> dict[str, object]:
    x, y = finding.peak
    return {
        "label": finding.label,
        "probability": finding.probability,
        "logit": finding.logit,
        "verdict": finding.verdict.value,
        "operating_point": finding.operating_point.model_dump() if finding.operating_point else None,
        "peak": {"x": x, "y": y, "place": finding.place},
        "evidence": finding.evidence.tolist(),
    }


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise errors.BadImage(f"{path} cannot be read: {error.strerror}.", errors.Reason.NOT_AN_IMAGE) from None
