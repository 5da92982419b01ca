"""`kerascope data ...`: make, convert, check and split data sets."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from training.commands import read
from zoo import terminal

app = typer.Typer(help="Make, convert, check and split data sets.", no_args_is_help=True)
app.add_typer(read.app)


@app.command()
def phantoms(
    out: Annotated[Path, typer.Argument(help="The folder to make.")],
    patients: Annotated[int, typer.Option(help="How many patients, one to three images each.")] = 400,
    size: Annotated[int, typer.Option(help="Side of a picture, in pixels.")] = 512,
    seed: Annotated[int, typer.Option(help="The same seed gives the same files.")] = 0,
) -> None:
    """Generate chest radiographs whose findings are known."""
    from rich.progress import Progress

    from training.datasets.phantoms import generate

    with Progress(console=terminal.console()) as progress:
        bar = progress.add_task("Generating phantoms", total=None)
        manifest = generate(
            out,
            patients=patients,
            size=size,
            seed=seed,
            progress=lambda done, total: progress.update(bar, completed=done, total=total),
        )
    terminal.say(f"Manifest: {manifest}")


@app.command()
def medmnist(
    npz: Annotated[Path, typer.Argument(help="A MedMNIST file, for example pneumoniamnist.npz.")],
    out: Annotated[Path, typer.Argument(help="The folder to make.")],
) -> None:
    """Unpack a MedMNIST file into pictures and a manifest."""
    from training.commands.read import bring_in

    terminal.say(f"Manifest: {bring_in('medmnist', npz, out, {}).manifest}")


_Task = Annotated[str | None, typer.Option("--task", help="Whose labels to read; else those of the table.")]


@app.command()
def check(
    manifest: Annotated[Path, typer.Argument(help="A table of images, CSV or Parquet.")],
    task: _Task = None,
    html: Annotated[Path | None, typer.Option(help="Write the report here too, with the pairs as thumbnails.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")] = False,
) -> None:
    """Look for leakage, copies, damaged files and odd labels; status 1 on leakage."""
    from json import dumps

    from training import check as checks
    from training import check_report

    console = terminal.console()
    found = checks.check(manifest, checks.find_task(task), console=None if json else console)
    if json:
        terminal.say(dumps(check_report.as_json(found), indent=2))
    else:
        check_report.show(found, console)
    if html:
        check_report.write(found, html)
        if not json:
            terminal.say(f"Report: {html}")
    if found.leaks:
        raise typer.Exit(1)


@app.command()
def split(
    manifest: Annotated[Path, typer.Argument(help="A table of images, CSV or Parquet.")],
    out: Annotated[Path, typer.Argument(help="The table to write, CSV, with a column split.")],
    task: _Task = None,
    folds: Annotated[int, typer.Option(help="0 for 70/10/20; k for k folds, in a column fold.")] = 0,
    seed: Annotated[int, typer.Option(help="The same seed gives the same split.")] = 0,
    group_near_duplicates: Annotated[
        bool, typer.Option("--group-near-duplicates", help="Keep pictures that are the same again on one side.")
    ] = False,
) -> None:
    """Part a data set by patient, labels spread evenly, and write the sides into the manifest."""
    from collections import Counter

    from training import check as checks
    from training.parting import split_manifest

    images = split_manifest(
        manifest,
        out,
        task=checks.find_task(task),
        folds=folds,
        seed=seed,
        group_near_duplicates=group_near_duplicates,
        console=terminal.console(),
    )
    sides = ", ".join(f"{side} {count}" for side, count in Counter(images.splits).most_common())
    terminal.say(f"{len(images)} images, kept apart by {images.grouped_by}: {sides}.\nManifest: {out}")


@app.command()
def preview(
    config: Annotated[Path, typer.Argument(help="A training file.")],
    out: Annotated[Path, typer.Argument(help="The picture to draw, PNG.")],
    rows: Annotated[int, typer.Option(min=1, max=12, help="How many pictures.")] = 4,
    columns: Annotated[int, typer.Option(min=2, max=12, help="How often each is shown, first as it is.")] = 7,
    set_: Annotated[list[str] | None, typer.Option("--set", help="key=value, over the file's own.")] = None,
) -> None:
    """Draw a sheet of what the network will see in training."""
    from training.config import RunConfig

    settings = RunConfig.load(config, set_ or [])
    terminal.load_tensorflow()
    from training.preview import preview as draw

    terminal.say(f"Sheet: {draw(settings, out, rows=rows, columns=columns)}")
