"""`kerascope report`: one image's analysis as the files a hospital keeps."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from pydicom import Dataset, dcmwrite
from rich.console import Console

from serving.client import Client
from serving.hospital.results import document, fhir, source
from serving.hospital.results.identity import Made
from serving.hospital.results.overlay import secondary_capture
from serving.hospital.results.parametric import parametric_map
from serving.hospital.results.structured import structured_report
from serving.predict import drawn
from zoo import errors
from zoo.cards import ModelCard
from zoo.imaging.image import read
from zoo.results import Finding


@dataclass(frozen=True, kw_only=True)
class Files:
    """Where each part is written; None leaves it out.

    Attributes:
        sr: Comprehensive 3D SR, DICOM.
        pdf: PDF; encapsulated in DICOM where the name ends in .dcm.
        fhir: FHIR Bundle, JSON.
        overlay: the leading finding's heat map over the picture, DICOM Secondary Capture.
        map: the leading finding's evidence, DICOM Parametric Map.
    """

    sr: Path | None = None
    pdf: Path | None = None
    fhir: Path | None = None
    overlay: Path | None = None
    map: Path | None = None


def report(
    path: Path,
    files: Files,
    *,
    model: str,
    version: int = 0,
    gateway: str = "localhost:50051",
    below: bool = False,
    console: Console | None = None,
) -> None:
    """Asks a gateway about one file and writes its answer in each form asked for.

    Args:
        path: a DICOM, PNG or JPEG file; of the last two, PDF and FHIR only.
        files: what to write where.
        model, version: which model; version 0 is the newest.
        gateway: host:port.
        below: draws overlay and map even where the leading finding is below its operating point.
        console: where what was written is said; standard output if None.

    Raises:
        BadRequest: nothing is asked for, a DICOM object of a PNG, a map of an image without a place in the patient, a
            map of something absent, or a file that cannot be written.
        As `Client.analyze` and `results.source.read` otherwise.
    """
    wanted = {name: target for name, target in vars(files).items() if target is not None}
    if not wanted:
        raise errors.BadRequest("No file is asked for. Name one or more: --sr, --pdf, --fhir, --overlay, --map.")
    data = _bytes(path)
    origin = source.read(data) if _needs_dicom(files) or data[128:132] == b"DICM" else None
    with Client(gateway) as client:
        analysis = client.analyze(data, model=model, version=version)
        card = client.card(model, analysis.provenance.version)
    made = Made(analysis, datetime.now())
    if files.overlay or files.map:
        _check_drawn(analysis.leading, below)
    for name, target in wanted.items():
        _write(target, _part(name, target, data, origin, made, card))
    _say(wanted, made, console or Console())


def _needs_dicom(files: Files) -> bool:
    encapsulated = files.pdf is not None and files.pdf.suffix.lower() == ".dcm"
    return encapsulated or any((files.sr, files.overlay, files.map))


def _check_drawn(leading: Finding, below: bool) -> None:
    if not drawn(leading, below=below):
        raise errors.BadRequest(
            f"The leading finding, {leading.label}, is below its operating point; a map of something absent misleads. "
            "Leave --overlay and --map out, or draw it all the same with --below."
        )


def _part(
    name: str, target: Path, data: bytes, origin: source.Source | None, made: Made, card: ModelCard
) -> bytes | Dataset:
    """One of the files; `origin` is there for every one that needs it."""
    leading = made.analysis.leading
    if name == "fhir":
        return str(fhir.bundle(made, card, origin).model_dump_json(indent=2)).encode()
    if name == "pdf":
        made_pdf = document.pdf(made, card, read(data), origin)
        return document.encapsulated(origin, made, made_pdf) if origin and target.suffix.lower() == ".dcm" else made_pdf
    assert origin is not None
    if name == "sr":
        return structured_report(origin, made, card)
    if name == "overlay":
        return secondary_capture(origin, made, leading, read(data), 1)
    return parametric_map(origin, made, leading, 1)


def _write(target: Path, part: bytes | Dataset) -> None:
    try:
        if isinstance(part, bytes):
            target.write_bytes(part)
        else:
            dcmwrite(target, part, enforce_file_format=True)
    except OSError as error:
        raise errors.BadRequest(f"{target} cannot be written: {error.strerror}.") from None


def _say(wanted: dict[str, Path], made: Made, console: Console) -> None:
    leading = made.analysis.leading
    for name, target in wanted.items():
        console.print(f"{name}: {target}", markup=False, soft_wrap=True)
    console.print(f"Leading: {leading.label}, {leading.verdict.value} ({leading.probability:.3f}).", markup=False)
    if made.analysis.caution is not None:
        console.print(f"Caution. {made.analysis.caution.message}", style="bold yellow", markup=False)
    console.print(made.analysis.notice, style="bold")


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise errors.BadImage(f"{path} cannot be read: {error.strerror}.", errors.Reason.NOT_AN_IMAGE) from None
