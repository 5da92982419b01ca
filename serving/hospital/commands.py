"""`kerascope dicom-node`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from zoo import errors

app = typer.Typer()


@app.command("dicom-node")
def dicom_node(
    config: Annotated[Path, typer.Argument(help="The node's file, TOML: docs/reference/dicom-node.md.")],
    check: Annotated[bool, typer.Option("--check", help="Only read the file and say what it says.")] = False,
) -> None:
    """Receive images from a PACS or a modality, ask the gateway, and send the results back."""
    try:
        from serving.hospital import node
    except ModuleNotFoundError as missing:
        raise errors.BadConfig(
            f"The DICOM node needs {missing.name}, which is not installed: pip install 'kerascope[hospital]'."
        ) from None
    from serving.hospital.config import NodeConfig

    read = NodeConfig.load(config)
    if check:
        senders = "any AE title" if read.allow_any else ", ".join(read.allow)
        receivers = ", ".join(each.ae_title for each in read.destination) or "nobody"
        typer.echo(f"{read.ae_title} on port {read.port}: images from {senders}, results to {receivers}.")
        return
    raise typer.Exit(node.run(read))
