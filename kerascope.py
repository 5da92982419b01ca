"""The command's front door. Each subcommand's code is imported only when it is called, so that `--help` is quick."""

from __future__ import annotations

import errno
import sys
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from zoo import errors, surroundings, terminal

app = typer.Typer(
    name="kerascope",
    help="Medical-image classifiers that show their evidence. Research use only.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


@app.command()
def predict(
    files: Annotated[list[Path], typer.Argument(help="A DICOM, PNG or JPEG file; or several, or folders of them.")],
    model: Annotated[str, typer.Option(help="A model's name.")],
    version: Annotated[int, typer.Option(help="0 for the newest.")] = 0,
    gateway: terminal.Gateway = "localhost:50051",
    overlay: Annotated[
        Path | None, typer.Option(help="Of one file: write the leading finding's heat map here, PNG.")
    ] = None,
    below: Annotated[bool, typer.Option(help="Draw it even if that finding is below its operating point.")] = False,
    json: Annotated[
        bool, typer.Option("--json", help="Print JSON instead of words; of many files one a line.")
    ] = False,
    results: Annotated[
        Path | None, typer.Option(help="Of many files: keep the answers here, and go on if some are there.")
    ] = None,
) -> None:
    """Ask a gateway about one image, or about many on one stream."""
    if len(files) == 1 and not files[0].is_dir() and results is None:
        from serving.predict import predict as ask

        ask(files[0], model=model, version=version, gateway=gateway, overlay=overlay, below=below, json=json)
        return
    if overlay is not None or below:
        raise errors.BadRequest("--overlay and --below are of one file. Name one, or leave them away.")
    from serving.predict_many import predict_many

    predict_many(files, model=model, version=version, gateway=gateway, results=results, json=json)


@app.command()
def dashboard(
    gateway: terminal.Gateway = "localhost:50051",
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on.")] = 8501,
    samples: Annotated[Path | None, typer.Option(envvar="KERASCOPE_SAMPLES", help="Folder of samples.")] = None,
    login: Annotated[
        Path | None, typer.Option(envvar="KERASCOPE_LOGIN_FILE", help="TOML file with [auth]: everybody logs in by it.")
    ] = None,
    no_login: Annotated[
        bool, typer.Option("--no-login", envvar="KERASCOPE_NO_LOGIN", help="Ask nobody: a proxy in front of it does.")
    ] = False,
) -> None:
    """Open the clinicians' dashboard in a browser."""
    from dashboard.launch import run

    raise typer.Exit(run(host=host, port=port, gateway=gateway, samples=samples, login=login, no_login=no_login))


# Where each group of commands lives, and its name; those without one add their commands at the top.
GROUPS = (
    ("training.commands.fit", None),
    ("training.commands.measure", None),
    ("training.commands.tune", None),
    ("serving.security.commands", "gateway"),
    ("serving.commands", None),
    ("serving.hospital.results.commands", None),
    ("serving.hospital.commands", None),
    ("training.commands.data", "data"),
    ("training.commands.explain", "explain"),
    ("training.commands.features", "features"),
    ("zoo.commands", "zoo"),
    ("serving.store.commands", "store"),
    ("serving.load.commands", "bench"),
    ("serving.doctor.commands", None),
    ("serving.audit.commands", "audit"),
    ("serving.deploy.models_commands", "models"),
    ("serving.deploy.commands", "deploy"),
)
for module, group in GROUPS:
    if find_spec(module.partition(".")[0]):  # an image holds the packages that it runs, and no other (Dockerfile)
        app.add_typer(import_module(module).app, name=group)


@app.callback(invoke_without_command=True)
def _root(version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False) -> None:
    if version:
        from importlib.metadata import version as installed

        terminal.say(f"kerascope {installed('kerascope')}")
        raise typer.Exit


def _called(words: list[str]) -> tuple[str, str]:
    """The command that was called, for a message, and the module of ours that it lives in."""
    command, path = typer.main.get_command(app), ["kerascope"]
    for word in words:
        below = getattr(command, "commands", {}).get(word)
        if below is not None:
            command = below
            path.append(word)
    return f"`{' '.join(path)}`", command.callback.__module__ if command.callback else ""


def _end(error: Exception) -> NoReturn:
    """One line for a mistake of the user's; anything else is a bug and keeps its traceback."""
    if not isinstance(error, errors.KerascopeError):
        raise error
    typer.echo(f"kerascope: {error}", err=True)
    sys.exit(1)


def _run() -> None:
    """The command, to the last byte of its output."""
    try:
        app()
    finally:
        if sys.stdout is not None:
            sys.stdout.flush()


def main() -> None:
    """Runs the command; a mistake of the user's ends in one line, not in a traceback."""
    surroundings.prepare()
    try:
        _run()
    except OSError as error:
        surroundings.drop_output()
        if error.errno not in (errno.ENOSPC, errno.EPIPE):
            raise
        what = error.filename or "Standard output or a file"
        typer.echo(f"kerascope: {what} cannot be written: {error.strerror}.", err=True)
        sys.exit(1)
    except errors.KerascopeError as error:
        _end(error)
    except ModuleNotFoundError as error:
        from zoo import extras

        _end(extras.missing(error, *_called(sys.argv[1:])) or error)
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
