"""`kerascope models ...`. What a command needs is imported only when it is called."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from serving.deploy import labels
from serving.deploy.labels import Labels
from zoo import terminal

app = typer.Typer(help="Which version of a model TensorFlow Serving calls stable.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="A model's name.")]
ConfigFile = Annotated[
    Path, typer.Option("--model_config_file", help="The servers' configuration, as `kerascope deploy render` wrote it.")
]
Servers = Annotated[
    list[str],
    typer.Option(
        "--model_server",
        help="host:port of a server, once for each; dns:///name:port for every server behind a name.",
    ),
]
Timeout = Annotated[float, typer.Option(help="Longest wait for a version to load, in seconds.")]


@app.command()
def promote(
    name: Name,
    model_config_file: ConfigFile,
    model_server: Servers,
    version: Annotated[int | None, typer.Option(help="The version to make stable; the canary's if not given.")] = None,
    keep_previous: Annotated[
        bool, typer.Option(help="Keep the version before loaded, so that `rollback` takes no loading.")
    ] = True,
    timeout: Timeout = 300,
) -> None:
    """Make a version the one that callers get."""
    _apply(
        name,
        lambda before: labels.promoted(before, version, keep_previous=keep_previous),
        (model_config_file, model_server, timeout),
    )


@app.command()
def rollback(
    name: Name,
    model_config_file: ConfigFile,
    model_server: Servers,
    version: Annotated[int | None, typer.Option(help="Where to; the version before if not given.")] = None,
    timeout: Timeout = 300,
) -> None:
    """Go back to the version before."""
    _apply(name, lambda before: labels.rolled_back(before, version), (model_config_file, model_server, timeout))


@app.command()
def canary(
    name: Name,
    model_config_file: ConfigFile,
    model_server: Servers,
    version: Annotated[int | None, typer.Option(help="The version to serve beside the stable one.")] = None,
    remove: Annotated[bool, typer.Option("--remove", help="Take the canary away instead.")] = False,
    timeout: Timeout = 300,
) -> None:
    """Serve a version beside the stable one, for those who ask for it."""
    if (version is None) is not remove:
        raise typer.BadParameter("Give either --version or --remove.")
    _apply(name, lambda before: labels.with_canary(before, version), (model_config_file, model_server, timeout))


@app.command()
def status(name: Name, model_server: Servers) -> None:
    """Every version of a model on every server, with its state and labels."""
    terminal.load_tensorflow()
    from contextlib import closing

    from serving.deploy.control import Control, resolved

    for address in resolved(model_server):
        with closing(Control(address)) as server:
            borne = server.labels(name, (labels.STABLE, labels.CANARY, labels.PREVIOUS))
            versions = server.versions(name)
        for version, found in sorted(versions.items()):
            marks = " ".join(label for label, number in borne.items() if number == version)
            terminal.say("  ".join(filter(None, (address, name, str(version), found.state, marks, found.error))))
        if not versions:
            terminal.say(f"{address}  {name} is not known there")


def _apply(name: str, change: Callable[[Labels], Labels], where: tuple[Path, list[str], float]) -> None:
    terminal.load_tensorflow()
    from serving.deploy.rollout import Rollout

    file, servers, timeout = where
    after = Rollout(file, servers, timeout).apply(name, change)
    said = ", ".join(f"{label} is version {version}" for label, version in sorted(after.items()))
    terminal.say(f"{name}: {said}. Seen on {len(servers)} address(es); written to {file}.")
