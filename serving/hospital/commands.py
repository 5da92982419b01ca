"""`kerascope dicom-node`, `dicom-pull` and `deidentify`. What one needs is imported only when it is called."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from zoo import terminal

app = typer.Typer()

NodeFile = Annotated[Path, typer.Argument(help="The node's file, TOML: docs/reference/dicom-node.md.")]


@app.command("dicom-node")
def dicom_node(
    config: NodeFile,
    check: Annotated[bool, typer.Option("--check", help="Only read the file and say what it says.")] = False,
) -> None:
    """Receive images from a PACS or a modality, ask the gateway, and send the results back."""
    from serving.hospital import node
    from serving.hospital.config import NodeConfig

    read = NodeConfig.load(config)
    if check:
        terminal.say(read.summary())
        return
    raise typer.Exit(node.run(read))


@app.command("dicom-pull")
def dicom_pull(
    config: NodeFile,
    archive: Annotated[str, typer.Option("--from", help="The name of an [[archive]] in the node's file.")],
    study: Annotated[list[str] | None, typer.Option(help="Study Instance UID; may be given again.")] = None,
    modality: Annotated[str, typer.Option(help="Modality, CR say.")] = "",
    body_part: Annotated[str, typer.Option(help="Body Part Examined, CHEST say.")] = "",
    date: Annotated[str, typer.Option(help="Study date: 20260131, or a range, 20260101-20260131.")] = "",
    most: Annotated[int, typer.Option(min=0, help="Stop after so many images; 0 for no limit.")] = 0,
) -> None:
    """Fetch images from a PACS by DICOMweb into the node's queue; none that came before is fetched again."""
    from serving.hospital import pull
    from serving.hospital.config import NodeConfig

    wanted = pull.Wanted(studies=tuple(study or ()), modality=modality, body_part=body_part, dates=date)
    raise typer.Exit(pull.pull(NodeConfig.load(config), archive, wanted, most=most))


@app.command()
def deidentify(
    files: Annotated[list[Path], typer.Argument(help="DICOM files, or folders of them.")],
    out: Annotated[Path, typer.Option(help="Folder for the copies, each named by its new UID.")],
    secret: Annotated[
        Path, typer.Option(help="File that new UIDs are made with, so that studies stay linked; made if missing.")
    ],
) -> None:
    """Write copies without what tells of a patient, by the Basic Profile of DICOM PS3.15, annex E."""
    from serving.hospital import deidentified_copies

    raise typer.Exit(deidentified_copies.write(files, out, secret))
