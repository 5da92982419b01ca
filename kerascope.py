"""The command's front door. Each subcommand's code is imported only when it is called, so that `--help` is quick."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from zoo import errors

app = typer.Typer(
    name="kerascope",
    help="Medical-image classifiers that show their evidence. Research use only.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
data_app = typer.Typer(help="Make or convert data sets.", no_args_is_help=True)
zoo_app = typer.Typer(help="What is in the zoo.", no_args_is_help=True)
app.add_typer(data_app, name="data")
app.add_typer(zoo_app, name="zoo")

Runs = Annotated[Path, typer.Option(help="The folder that holds run folders.")]
RegistryFolder = Annotated[Path, typer.Option(envvar="KERASCOPE_REGISTRY", help="The folder of bundles.")]
Address = Annotated[str, typer.Option(envvar="KERASCOPE_GATEWAY", help="host:port of the gateway.")]


@app.command()
def train(
    config: Annotated[Path, typer.Argument(help="A training file, for example training/configs/phantoms.toml.")],
    set_: Annotated[list[str] | None, typer.Option("--set", help="key=value, over the file's own.")] = None,
    runs: Runs = Path("runs"),
) -> None:
    """Fine-tune a model; run again after a kill, it resumes."""
    from training.config import RunConfig

    settings = RunConfig.load(config, set_ or [])
    _load_tensorflow()
    from training.finetune import train as fine_tune

    run = fine_tune(settings, runs=runs, console=_console())
    _say(f"Run: {run.path}\nNext: kerascope evaluate {run.path}")


@app.command()
def evaluate(
    run: Annotated[Path, typer.Argument(help="A run folder.")],
    force: Annotated[bool, typer.Option(help="Measure again what was measured before.")] = False,
) -> None:
    """Measure a run on its test split, calibrate it, and write the report."""
    _load_tensorflow()
    from training.evaluate import evaluate as measure
    from training.runs import Run

    measure(Run(run), console=_console(), force=force)
    _say(f"Report: {run / 'evaluation' / 'report.html'}\nNext: kerascope export {run} --registry registry")


@app.command()
def export(
    run: Annotated[Path, typer.Argument(help="A run folder.")],
    registry: RegistryFolder = Path("registry"),
) -> None:
    """Write a run as the next version of its bundle."""
    _load_tensorflow()
    from training.publish import export_run
    from training.runs import Run

    bundle = export_run(Run(run), registry)
    _say(f"Bundle: {bundle.path}")
    _say(f"Next: kerascope serve --model_name {bundle.name} --model_base_path {bundle.path.parent}")


@app.command()
def serve(
    port: Annotated[int, typer.Option("--port", help="gRPC port; 0 picks a free one.")] = 8500,
    grpc_socket_path: Annotated[str, typer.Option("--grpc_socket_path", help="Also listen on this UNIX socket.")] = "",
    model_name: Annotated[str, typer.Option("--model_name", help="Name of the one model.")] = "default",
    model_base_path: Annotated[str, typer.Option("--model_base_path", help="Its folder of numbered versions.")] = "",
    model_config_file: Annotated[str, typer.Option("--model_config_file", help="ModelServerConfig text proto.")] = "",
    model_config_file_poll_wait_seconds: Annotated[float, typer.Option("--model_config_file_poll_wait_seconds")] = 0,
    file_system_poll_wait_seconds: Annotated[float, typer.Option("--file_system_poll_wait_seconds")] = 1,
    tensorflow_intra_op_parallelism: Annotated[int, typer.Option("--tensorflow_intra_op_parallelism")] = 0,
    tensorflow_inter_op_parallelism: Annotated[int, typer.Option("--tensorflow_inter_op_parallelism")] = 0,
    grpc_max_threads: Annotated[int, typer.Option("--grpc_max_threads")] = 0,
    enable_model_warmup: Annotated[bool, typer.Option("--enable_model_warmup/--noenable_model_warmup")] = True,
    allow_version_labels_for_unavailable_models: Annotated[
        bool, typer.Option("--allow_version_labels_for_unavailable_models")
    ] = False,
) -> None:
    """Serve SavedModels as TensorFlow Serving would, with its flags."""
    flags = dict(locals())
    import logging

    _load_tensorflow()

    from serving.modelserver.options import Options
    from serving.modelserver.server import run

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    raise typer.Exit(run(Options(**flags)))


@app.command()
def gateway(
    registry: RegistryFolder = Path("registry"),
    model_server: Annotated[str, typer.Option(envvar="KERASCOPE_MODEL_SERVER", help="host:port.")] = "localhost:8500",
    host: Annotated[str, typer.Option(envvar="KERASCOPE_HOST", help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(envvar="KERASCOPE_PORT", help="Port to listen on; 0 picks a free one.")] = 50051,
) -> None:
    """Answer hospital systems: images in, findings with their evidence out."""
    _load_tensorflow()
    from serving.server import run
    from serving.settings import Settings

    settings = Settings.from_environment(registry=registry, model_server=model_server, host=host, port=port)
    raise typer.Exit(run(settings))


@app.command()
def predict(
    file: Annotated[Path, typer.Argument(help="A DICOM, PNG or JPEG file.")],
    model: Annotated[str, typer.Option(help="A model's name.")],
    version: Annotated[int, typer.Option(help="0 for the newest.")] = 0,
    gateway: Address = "localhost:50051",
    overlay: Annotated[Path | None, typer.Option(help="Write the leading finding's heat map here, PNG.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """Ask a gateway about one image."""
    from serving.predict import predict as ask

    ask(file, model=model, version=version, gateway=gateway, overlay=overlay, json=json)


@app.command()
def dashboard(
    gateway: Address = "localhost:50051",
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on.")] = 8501,
    samples: Annotated[Path | None, typer.Option(envvar="KERASCOPE_SAMPLES", help="Folder of samples.")] = None,
) -> None:
    """Open the clinicians' dashboard in a browser."""
    from dashboard.launch import run

    raise typer.Exit(run(host=host, port=port, gateway=gateway, samples=samples))


@data_app.command()
def phantoms(
    out: Annotated[Path, typer.Argument(help="The folder to make.")],
    patients: Annotated[int, typer.Option(help="How many patients, one to three images each.")] = 400,
    size: Annotated[int, typer.Option(help="Side of a picture, in pixels.")] = 512,
    seed: Annotated[int, typer.Option(help="The same seed gives the same files.")] = 0,
) -> None:
    """Generate chest radiographs whose findings are known."""
    from rich.progress import Progress

    from training.datasets.phantoms import generate

    with Progress(console=_console()) as progress:
        bar = progress.add_task("Generating phantoms", total=None)
        manifest = generate(
            out,
            patients=patients,
            size=size,
            seed=seed,
            progress=lambda done, total: progress.update(bar, completed=done, total=total),
        )
    _say(f"Manifest: {manifest}")


@data_app.command()
def medmnist(
    npz: Annotated[Path, typer.Argument(help="A MedMNIST file, for example pneumoniamnist.npz.")],
    out: Annotated[Path, typer.Argument(help="The folder to make.")],
) -> None:
    """Unpack a MedMNIST file into pictures and a manifest."""
    from training.datasets.npz import unpack

    _say(f"Manifest: {unpack(npz, out)}")


@zoo_app.command("list")
def list_(registry: RegistryFolder = Path("registry")) -> None:
    """The models in a registry."""
    from rich.table import Table

    from zoo.bundles import Registry

    found = Registry(registry)
    table = Table("Model", "Version", "Task", "Labels", caption=f"{len(found.names())} in {registry}")
    for card in (found.bundle(name).card for name in found.names()):
        table.add_row(card.name, str(card.version), card.task, ", ".join(card.label_names))
    _console().print(table)


@zoo_app.command()
def show(
    name: Annotated[str, typer.Argument(help="A model's name.")],
    registry: RegistryFolder = Path("registry"),
    version: Annotated[int, typer.Option(help="0 for the newest.")] = 0,
) -> None:
    """One model's card, as JSON."""
    from zoo.bundles import Registry

    _say(Registry(registry).bundle(name, version or None).card.to_json())


@zoo_app.command()
def verify(
    name: Annotated[str, typer.Argument(help="A model's name.")],
    registry: RegistryFolder = Path("registry"),
    version: Annotated[int, typer.Option(help="0 for the newest.")] = 0,
) -> None:
    """Compare a bundle with its checksums."""
    from zoo.bundles import Registry

    bundle = Registry(registry).bundle(name, version or None)
    bundle.verify()
    _say(f"{bundle.name} version {bundle.version}: every file is as it was exported.")


@zoo_app.command()
def tasks() -> None:
    """The clinical questions there are."""
    from rich.table import Table

    from zoo.tasks import TASKS

    table = Table("Task", "Question", "Labels", "Kind")
    for task in TASKS.values():
        table.add_row(task.name, task.question, ", ".join(task.labels), task.kind.value)
    _console().print(table)


@app.callback(invoke_without_command=True)
def _root(version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False) -> None:
    if version:
        from importlib.metadata import version as installed

        _say(f"kerascope {installed('kerascope')}")
        raise typer.Exit


def _load_tensorflow() -> None:
    """Imports TensorFlow without the lines its C++ prints to standard error before anyone can turn them off."""
    import os

    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    kept, nothing = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, 2)
    try:
        import tensorflow  # noqa: F401
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nothing)


def _console():  # type: ignore[no-untyped-def]  # rich is imported only where something is drawn
    from rich.console import Console

    return Console()


def _say(text: str) -> None:
    typer.echo(text)


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
