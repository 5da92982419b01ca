"""What commands share: options met in several of them, the console, and a quiet start of TensorFlow."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.console import Console

Runs = Annotated[Path, typer.Option(help="The folder that holds run folders.")]
Registry = Annotated[Path, typer.Option(envvar="KERASCOPE_REGISTRY", help="The folder of bundles.")]
TrustedKey = Annotated[
    Path | None,
    typer.Option(envvar="KERASCOPE_TRUSTED_KEY", help="Public keys, PEM: only bundles signed by one are taken."),
]
Gateway = Annotated[str, typer.Option(envvar="KERASCOPE_GATEWAY", help="host:port of the gateway.")]


def load_tensorflow() -> None:
    """Imports TensorFlow without the lines its C++ prints to standard error before anyone can turn them off."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    kept, nothing = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, 2)
    try:
        import tensorflow  # noqa: F401
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nothing)


def console() -> Console:
    """Where tables and progress are drawn; rich is imported only here."""
    from rich.console import Console

    return Console()


def say(text: str) -> None:
    """A line for the user, on standard output."""
    typer.echo(text)


def say_json(value: object) -> None:
    """A value for a program, on standard output."""
    import json

    typer.echo(json.dumps(value, indent=2, ensure_ascii=False))


def say_research_use_only() -> None:
    """The notice that stands under whatever is shown of a model."""
    from zoo.cards import RESEARCH_USE_ONLY

    say(RESEARCH_USE_ONLY)


def megabytes(length: int) -> str:
    """A number of bytes for people: 12.3 MB."""
    return f"{length / 1e6:.1f} MB"


@contextmanager
def download(title: str, length: int) -> Iterator[Callable[[int], None]]:
    """A bar for a download; what it yields is called with the number of bytes that are there."""
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, TimeRemainingColumn(), console=console()) as progress:
        task = progress.add_task(title, total=length)
        yield lambda done: progress.update(task, completed=done)
