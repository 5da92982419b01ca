"""`kerascope audit ...`: the trail checked and handed on."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from zoo import errors, terminal

app = typer.Typer(help="Check the audit trail and hand it on.", no_args_is_help=True)

Trail = Annotated[
    Path | None, typer.Option("--audit", envvar="KERASCOPE_AUDIT", help="The file that the gateway or the node writes.")
]


class Format(str, Enum):
    """How a trail is exported."""

    ATNA = "atna"
    JSON = "json"


@app.command()
def verify(
    audit: Trail = None,
    holds: Annotated[str, typer.Option("--holds", help="A hash noted earlier; it must still be in the trail.")] = "",
) -> None:
    """Follow the chain of hashes from the first record to the last, and print the last hash."""
    from serving.audit import trail

    path = _named(audit)
    head = trail.verify(path)
    if holds and not any(record.get("hash") == holds for record in trail.read(path)):
        raise errors.BrokenAudit(
            f"The audit trail of {head.number} records holds no record {holds[:12]}...: records were cut off its end, "
            "or all of it was written anew. Compare with a copy."
        )
    terminal.say(f"{head.number} records, unbroken. Last hash: {head.hash}")


@app.command()
def export(
    audit: Trail = None,
    format_: Annotated[Format, typer.Option("--format", help="atna: DICOM PS3.15 A.5 in syslog lines.")] = Format.ATNA,
    after: Annotated[int, typer.Option("--after", min=0, help="Begin after the record of this number.")] = 0,
) -> None:
    """Print the trail, a line a record."""
    from serving.audit import atna, trail

    for record in trail.read(_named(audit)):
        if int(str(record["number"])) > after:
            terminal.say(atna.syslog(record) if format_ is Format.ATNA else trail.canonical(record))


def _named(path: Path | None) -> Path:
    if path is None:
        raise errors.BadConfig("No audit trail is named. Name its file with --audit or in KERASCOPE_AUDIT.")
    return path
