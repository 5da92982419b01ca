"""`kerascope bench serve`: load on a gateway or a model server."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from zoo import errors, extras, terminal

if TYPE_CHECKING:
    from serving.load.targets import Target

app = typer.Typer(help="Load on what serves.", no_args_is_help=True)


@app.callback()
def _bench() -> None:
    """Load on what serves."""


@app.command()
def serve(
    model: Annotated[str, typer.Option(help="A model's name.")],
    version: Annotated[int, typer.Option(help="0 for the newest.")] = 0,
    gateway: terminal.Gateway = "localhost:50051",
    model_server: Annotated[
        str, typer.Option(help="Ask this model server in place of the gateway, host:port; needs --registry.")
    ] = "",
    registry: terminal.Registry = Path("registry"),
    clients: Annotated[int, typer.Option(min=1, max=512, help="Closed loop: how many ask at once.")] = 4,
    rate: Annotated[float, typer.Option(min=0, help="Open loop: calls a second, at random; 0 for a closed loop.")] = 0,
    even: Annotated[bool, typer.Option("--even", help="Open loop: at even distances, not at random.")] = False,
    seconds: Annotated[float, typer.Option(min=0.1, help="How long.")] = 10,
    pictures: Annotated[Path | None, typer.Option(help="Folder of DICOM, PNG or JPEG files; else generated.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of pictures, their order, and the moments of an open loop.")] = 0,
    out: Annotated[Path | None, typer.Option(help="Write the numbers here, JSON.")] = None,
    plot: Annotated[Path | None, typer.Option(help="Draw the latencies here, PNG.")] = None,
) -> None:
    """Ask again and again, and say how long the answers took and how many there were."""
    from serving.load import loops, report, targets

    if plot:
        extras.need("matplotlib", "`kerascope bench serve --plot`")
    files = targets.pictures(pictures, seed=seed)
    with _target(gateway, model_server, registry, model, version, files) as target:
        if rate:
            found = loops.open_(target.ask, target.pictures, rate=rate, seconds=seconds, seed=seed, even=even)
        else:
            found = loops.closed(target.ask, target.pictures, clients=clients, seconds=seconds, seed=seed)
    terminal.console().print(report.table(found))
    if out:
        report.write(found, out)
    if plot:
        report.plot([(model_server or gateway, found)], plot)
    if not found.answered:
        raise errors.ModelNotReady(f"No call was answered: {found.failures}. Look at the server's log.")


def _target(
    gateway: str, model_server: str, registry: Path, model: str, version: int, files: list[bytes]
) -> AbstractContextManager[Target]:
    from serving.load import targets

    if not model_server:
        return targets.gateway(gateway, model, version, files)
    terminal.load_tensorflow()  # for TensorFlow Serving's messages
    return targets.model_server(model_server, registry, model, version, files)
