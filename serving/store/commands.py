"""`kerascope store ...`: the store looked after. What a command needs is imported only when it is called."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from zoo import errors, terminal

if TYPE_CHECKING:
    from serving.store.store import Store

app = typer.Typer(help="Look after the store of studies, answers and reviews.", no_args_is_help=True)

Url = Annotated[
    str,
    typer.Option("--store", envvar="KERASCOPE_STORE", help="sqlite:///folder/store.db or postgresql://user@host/name."),
]
Folder = Annotated[
    Path | None,
    typer.Option(
        "--spool", envvar="KERASCOPE_SPOOL", help="Folder of received files; beside SQLite's file if not given."
    ),
]


@app.command()
def upgrade(store: Url = "", spool: Folder = None) -> None:
    """Create the store's tables, or bring those of an older version up to date."""
    terminal.say(f"{_open(store, spool).name} is up to date.")


@app.command()
def show(
    store: Url = "", spool: Folder = None, json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False
) -> None:
    """How many images wait, are done, refused or failed, and how many results are sent."""
    opened = _open(store, spool)
    states = {"jobs": opened.queue.counts(), "results": opened.deliveries.counts()}
    if json:
        terminal.say_json(states)
        return
    for name, counts in states.items():
        terminal.say(f"{name}: " + ", ".join(f"{count} {state}" for state, count in counts.items()))


@app.command()
def prune(
    older_than_days: Annotated[float, typer.Option("--older-than-days", min=0, help="What came before goes.")],
    store: Url = "",
    spool: Folder = None,
) -> None:
    """Remove what is older: images, answers, reviews. What still waits for an answer stays."""
    removed = _open(store, spool).prune(older_than_days=older_than_days)
    terminal.say(
        f"Removed {removed.images} images, {removed.analyses} analyses and {removed.studies} studies that came more "
        f"than {older_than_days:g} days ago."
    )


@app.command()
def retry(store: Url = "", spool: Folder = None) -> None:
    """Put what failed back into the queue."""
    opened = _open(store, spool)
    terminal.say(f"Back in the queue: {opened.queue.retry()} images, {opened.deliveries.retry()} results.")


def _open(url: str, spool: Path | None) -> Store:
    from serving.store import opened

    if not url:
        raise errors.BadConfig("No store is named. Name one with --store or in KERASCOPE_STORE.")
    return opened(url, spool=spool)
