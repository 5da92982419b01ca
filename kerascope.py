"""The command's front door. Each subcommand's code is imported only when it is called, so that `--help` is quick."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

import serving.commands
import serving.store.commands
import training.commands.data
import training.commands.explain
import training.commands.features
import training.commands.fit
import training.commands.measure
import training.commands.read
import training.commands.tune
import zoo.commands
from zoo import errors, terminal

app = typer.Typer(
    name="kerascope",
    help="Medical-image classifiers that show their evidence. Research use only.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.add_typer(training.commands.fit.app)
app.add_typer(training.commands.measure.app)
app.add_typer(training.commands.tune.app)
app.add_typer(serving.commands.app)


@app.command()
def gateway(
    registry: terminal.Registry = Path("registry"),
    model_server: Annotated[str, typer.Option(envvar="KERASCOPE_MODEL_SERVER", help="host:port.")] = "localhost:8500",
    host: Annotated[str, typer.Option(envvar="KERASCOPE_HOST", help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(envvar="KERASCOPE_PORT", help="Port to listen on; 0 picks a free one.")] = 50051,
    metrics_port: Annotated[
        int | None, typer.Option(envvar="KERASCOPE_METRICS_PORT", help="Port for Prometheus; off unless given.")
    ] = None,
) -> None:
    """Answer hospital systems: images in, findings with their evidence out."""
    terminal.load_tensorflow()
    from serving.server import run
    from serving.settings import Settings

    settings = Settings.from_environment(
        registry=registry, model_server=model_server, host=host, port=port, metrics_port=metrics_port
    )
    raise typer.Exit(run(settings))


@app.command()
def predict(
    file: Annotated[Path, typer.Argument(help="A DICOM, PNG or JPEG file.")],
    model: Annotated[str, typer.Option(help="A model's name.")],
    version: Annotated[int, typer.Option(help="0 for the newest.")] = 0,
    gateway: terminal.Gateway = "localhost:50051",
    overlay: Annotated[Path | None, typer.Option(help="Write the leading finding's heat map here, PNG.")] = None,
    below: Annotated[bool, typer.Option(help="Draw it even if that finding is below its operating point.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """Ask a gateway about one image."""
    from serving.predict import predict as ask

    ask(file, model=model, version=version, gateway=gateway, overlay=overlay, below=below, json=json)


@app.command()
def dashboard(
    gateway: terminal.Gateway = "localhost:50051",
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on.")] = 8501,
    samples: Annotated[Path | None, typer.Option(envvar="KERASCOPE_SAMPLES", help="Folder of samples.")] = None,
) -> None:
    """Open the clinicians' dashboard in a browser."""
    from dashboard.launch import run

    raise typer.Exit(run(host=host, port=port, gateway=gateway, samples=samples))


training.commands.data.app.add_typer(training.commands.read.app)
app.add_typer(training.commands.data.app, name="data")
app.add_typer(training.commands.explain.app, name="explain")
app.add_typer(training.commands.features.app, name="features")
app.add_typer(zoo.commands.app, name="zoo")
app.add_typer(serving.store.commands.app, name="store")


@app.callback(invoke_without_command=True)
def _root(version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False) -> None:
    if version:
        from importlib.metadata import version as installed

        terminal.say(f"kerascope {installed('kerascope')}")
        raise typer.Exit


def main() -> None:
    """Runs the command; a mistake of the user's ends in one line, not in a traceback."""
    try:
        app()
    except errors.KerascopeError as error:
        typer.echo(f"kerascope: {error}", err=True)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
