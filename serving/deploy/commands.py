"""`kerascope deploy ...`. What a command needs is imported only when it is called."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from zoo import terminal

TENSORFLOW_SERVING = "2.20.0"

app = typer.Typer(help="TensorFlow Serving's files, written from a registry.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """TensorFlow Serving's files, written from a registry."""


@app.command()
def render(
    out: Annotated[Path, typer.Option("--out", help="The folder to write.")],
    registry: terminal.Registry = Path("registry"),
    gpu: Annotated[bool, typer.Option("--gpu/--cpu", help="Which server `docker compose up` starts.")] = True,
    model: Annotated[list[str] | None, typer.Option(help="A model to serve, once for each; all if not given.")] = None,
    stable: Annotated[list[str] | None, typer.Option(metavar="NAME=VERSION", help="Instead of the newest.")] = None,
    canary: Annotated[list[str] | None, typer.Option(metavar="NAME=VERSION", help="Served beside it.")] = None,
    tensorflow_serving: Annotated[str, typer.Option(help="Version of the image.")] = TENSORFLOW_SERVING,
    gpu_memory_fraction: Annotated[float, typer.Option(help="Part of the GPU's memory that a server takes.")] = 0.9,
    replicas: Annotated[tuple[int, int], typer.Option(help="Fewest and most model servers on Kubernetes.")] = (2, 4),
    cpus: Annotated[
        int | None,
        typer.Option(min=1, help="With --cpu: cores a server has to itself; each computes one call at a time."),
    ] = None,
    batch_timeout_micros: Annotated[
        int | None,
        typer.Option(min=0, help="How long a lone call waits for company; 2000 with a GPU, 0 without."),
    ] = None,
) -> None:
    """Write compose and Kubernetes files that serve a registry's models, each pinned to its versions."""
    terminal.load_tensorflow()
    from serving.deploy import render as rendering

    plan = rendering.Plan(
        registry=registry,
        out=out,
        gpu=gpu,
        names=model or (),
        stable=rendering.pairs(stable or ()),
        canary=rendering.pairs(canary or ()),
        tensorflow_serving=tensorflow_serving,
        gpu_memory_fraction=gpu_memory_fraction,
        replicas=replicas,
        cpus=cpus,
        batch_timeout_us=batch_timeout_micros,
    )
    for name, labels in rendering.render(plan).items():
        terminal.say(f"{name}: " + ", ".join(f"{label} is version {number}" for label, number in labels.items()))
    kind = "gpu" if gpu else "cpu"
    terminal.say(f"One machine:  docker compose -f {out / 'compose.yaml'} up --build --detach")
    if not rendering.CHECKOUT:
        terminal.say("The images are built from a checkout: give its folder as KERASCOPE_SOURCE in .env.")
    terminal.say(f"A cluster:    kubectl apply -k {out / 'kubernetes' / 'overlays' / kind}")
