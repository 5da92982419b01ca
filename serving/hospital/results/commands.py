"""`kerascope report`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from zoo import terminal

app = typer.Typer()


@app.command()
def report(
    file: Annotated[Path, typer.Argument(help="A DICOM file; or a PNG or JPEG, for PDF and FHIR only.")],
    model: Annotated[str, typer.Option(help="A model's name.")],
    version: Annotated[int, typer.Option(help="0 for the newest.")] = 0,
    gateway: terminal.Gateway = "localhost:50051",
    sr: Annotated[Path | None, typer.Option(help="Write a DICOM structured report (TID 1500) here.")] = None,
    pdf: Annotated[Path | None, typer.Option(help="Write a PDF here; a name in .dcm encapsulates it in DICOM.")] = None,
    fhir: Annotated[Path | None, typer.Option(help="Write a FHIR R4B bundle here, JSON.")] = None,
    overlay: Annotated[Path | None, typer.Option(help="Write the leading finding's heat map here, DICOM.")] = None,
    map_: Annotated[Path | None, typer.Option("--map", help="Write its evidence as a Parametric Map here.")] = None,
    below: Annotated[bool, typer.Option(help="Draw both even if that finding is below its operating point.")] = False,
) -> None:
    """Ask a gateway about one image, and write the answer as a hospital files it."""
    from serving.hospital.report import Files
    from serving.hospital.report import report as ask

    files = Files(sr=sr, pdf=pdf, fhir=fhir, overlay=overlay, map=map_)
    ask(file, files, model=model, version=version, gateway=gateway, below=below)
