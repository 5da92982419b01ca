"""`kerascope zoo ...`: what is in the zoo. What a command needs is imported only when it is called."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from zoo import terminal

if TYPE_CHECKING:
    from zoo.bundles import Bundle, Registry
    from zoo.registry.index import Index

app = typer.Typer(help="What is in the zoo.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="A model's name.")]
BundleOrName = Annotated[str, typer.Argument(help="A bundle's folder, or the name of a model in the registry.")]
Version = Annotated[int, typer.Option(help="0 for the newest.")]
IndexPlace = Annotated[
    str,
    typer.Option(
        "--index",
        envvar="KERASCOPE_INDEX",
        help="Index of bundles to pull: a file or an http(s) address. Empty for that of this installation.",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]


@app.command("list")
def list_(
    registry: terminal.Registry = Path("registry"),
    index: IndexPlace = "",
    offline: Annotated[bool, typer.Option("--offline", help="Only what is installed.")] = False,
) -> None:
    """The models in a registry, and those that can be pulled into it."""
    from zoo.bundles import Registry

    found = Registry(registry)
    offered, trouble = (None, "") if offline else _offered(index)
    terminal.console().print(_models(found, offered))
    if trouble:
        terminal.say(trouble)
    terminal.say_research_use_only()


def _offered(place: str) -> tuple[Index | None, str]:
    """The index; where it cannot be had, nothing and the reason: what is installed is shown all the same."""
    from zoo import errors
    from zoo.registry import index

    try:
        return index.read(place or index.default_place()), ""
    except errors.KerascopeError as error:
        return None, str(error)


def _models(registry: Registry, offered: Index | None) -> object:
    from rich.table import Table

    from zoo.registry.pull import installed

    names = registry.names()
    table = Table(caption=f"{len(names)} in {registry.root}")
    for heading in ("Model", "Version", "Task", "Labels", "Where"):
        table.add_column(heading, no_wrap=heading == "Model", overflow="fold")
    for name in names:
        card = registry.bundle(name).card
        table.add_row(card.name, str(card.version), card.task, ", ".join(card.label_names), "installed")
    waiting = [entry for entry in offered.bundles if not installed(entry, registry.root)] if offered else []
    for entry in waiting:
        said = f"available: kerascope zoo pull {entry.name} ({terminal.megabytes(entry.bytes)})"
        table.add_row(entry.name, str(entry.version), entry.summary.task, ", ".join(entry.summary.labels), said)
    if offered:
        table.caption = f"{table.caption}, {len(waiting)} more in {offered.place}"
    return table


@app.command()
def show(name: Name, registry: terminal.Registry = Path("registry"), version: Version = 0) -> None:
    """One model's card, as JSON."""
    from zoo.bundles import Registry

    terminal.say(Registry(registry).bundle(name, version or None).card.to_json())


@app.command()
def verify(
    name: Name,
    registry: terminal.Registry = Path("registry"),
    version: Version = 0,
    trusted_key: terminal.TrustedKey = None,
) -> None:
    """Compare a bundle with its checksums, and with its signature where a key is named."""
    from zoo import signing
    from zoo.bundles import Registry

    bundle = Registry(registry).bundle(name, version or None)
    signing.verify(bundle, signing.trust(trusted_key))
    terminal.say(f"{bundle.name} version {bundle.version}: {_as_it_was(trusted_key)}.")


@app.command()
def sign(
    bundle: BundleOrName,
    key: Annotated[Path, typer.Option("--key", help="Ed25519 private key, PEM.")],
    registry: terminal.Registry = Path("registry"),
    version: Version = 0,
) -> None:
    """Sign a bundle, so that whoever trusts the key takes it and nothing else."""
    from zoo import signing

    chosen = _chosen(bundle, registry, version)
    signing.sign(chosen, key)
    terminal.say(f"{chosen.name} version {chosen.version} is signed: {chosen.path / signing.SIGNATURE}")


@app.command()
def pull(
    name: Name,
    registry: terminal.Registry = Path("registry"),
    version: Version = 0,
    index: IndexPlace = "",
    trusted_key: terminal.TrustedKey = None,
) -> None:
    """Fetch a model from an index into a registry; given again, a broken download goes on."""
    from zoo import signing
    from zoo.registry import index as indexes
    from zoo.registry import pull as pulling

    trust = signing.trust(trusted_key)
    offered = indexes.read(index or indexes.default_place())
    entry = offered.find(name, version or None)
    if pulling.installed(entry, registry):
        terminal.say(f"{entry.name} version {entry.version} is in {registry} already.")
    with terminal.download(f"{entry.name} version {entry.version}", entry.bytes) as told:
        bundle = pulling.pull(entry, offered, registry, trust=trust, told=told)
    terminal.say(f"{bundle.path}: {_as_it_was(trusted_key)}.")
    terminal.say(f"Not for: {bundle.card.not_for}.")
    terminal.say_research_use_only()


@app.command()
def publish(
    bundle: BundleOrName,
    to: Annotated[Path, typer.Option("--to", help="Folder with the archives and their index.json.")],
    registry: terminal.Registry = Path("registry"),
    version: Version = 0,
) -> None:
    """Pack a bundle and name it in an index, for `kerascope zoo pull`."""
    from zoo.registry.publish import INDEX
    from zoo.registry.publish import publish as publish_bundle

    chosen = _chosen(bundle, registry, version)
    with terminal.console().status(f"Packing {chosen.name} version {chosen.version}"):
        entry = publish_bundle(chosen, to)
    size = terminal.megabytes(entry.bytes)
    terminal.say(f"{to / entry.file}: {size}, SHA-256 {entry.sha256}")
    terminal.say(f"{to / INDEX} names {entry.name} version {entry.version}.")


def _chosen(bundle: str, registry: Path, version: int) -> Bundle:
    from zoo.bundles import EXTRA, Bundle, Registry

    folder = Path(bundle).resolve()
    is_folder = (folder / EXTRA).is_dir() and folder.name.isdigit()
    return Bundle(folder) if is_folder else Registry(registry).bundle(bundle, version or None)


def _as_it_was(trusted_key: Path | None) -> str:
    return "every file is as it was exported" if trusted_key is None else "signed, and every file is as it was then"


@app.command()
def tasks(json: Json = False) -> None:
    """The clinical questions there are."""
    from rich.table import Table

    from zoo import catalogue

    rows = catalogue.tasks()
    if json:
        terminal.say_json(rows)
        return
    table = Table()
    for heading in ("Task", "Question", "Labels", "Kind", "A picture may be"):
        table.add_column(heading, no_wrap=heading == "Task", overflow="fold")
    for row in rows:
        table.add_row(row["name"], row["question"], ", ".join(row["labels"]), row["kind"], row["may_be"])
    terminal.console().print(table)


@app.command()
def backbones(json: Json = False) -> None:
    """The networks there are: size of picture, and accuracy, parameters, size and depth as Keras publishes them."""
    from rich.table import Table

    from zoo import catalogue

    rows = catalogue.backbones()
    if json:
        terminal.say_json(rows)
        return
    table = Table(caption=f"{len(rows)}. {catalogue.BACKBONES_SOURCE}")
    for heading in catalogue.BACKBONE_HEADINGS:
        name = heading == "Backbone"
        table.add_column(heading, justify="left" if name else "right", no_wrap=name)
    for row in rows:
        table.add_row(*catalogue.cells(row))
    terminal.console().print(table)
