"""`kerascope train`, `distill` and `lr-find`: from a training file to a run folder."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from zoo import terminal

if TYPE_CHECKING:
    from training.config import RunConfig

app = typer.Typer()

_File = Annotated[Path, typer.Argument(help="A training file, for example training/configs/phantoms.toml.")]
_Set = Annotated[list[str] | None, typer.Option("--set", help="key=value, over the file's own.")]


@app.command()
def train(
    config: _File,
    set_: _Set = None,
    runs: terminal.Runs = Path("runs"),
    registry: terminal.Registry = Path("registry"),
) -> None:
    """Fine-tune a model; run again after a kill, it resumes."""
    from training.config import RunConfig

    _train(RunConfig.load(config, set_ or []), runs, registry)


@app.command()
def distill(
    config: _File,
    teacher: Annotated[
        list[str],
        typer.Option(
            help="A run folder, a bundle's folder, or bundle:NAME or bundle:NAME@VERSION. Given several times, the "
            "mean of their logits teaches."
        ),
    ],
    temperature: Annotated[float | None, typer.Option(help="Softens both networks' answers; 3 if unset.")] = None,
    share: Annotated[float | None, typer.Option(help="Share of the loss that is the teacher's; 0.5 if unset.")] = None,
    set_: _Set = None,
    runs: terminal.Runs = Path("runs"),
    registry: terminal.Registry = Path("registry"),
) -> None:
    """Train a small model on the soft answers of a large one, or of several; otherwise as train."""
    import json

    from training.config import RunConfig

    given = {"teacher": json.dumps(teacher), "temperature": temperature, "share": share}
    changes = [f"distill.{key}={value}" for key, value in given.items() if value is not None]
    _train(RunConfig.load(config, [*changes, *(set_ or [])]), runs, registry)


def _train(settings: RunConfig, runs: Path, registry: Path) -> None:
    terminal.load_tensorflow()
    from training.finetune import train as fine_tune

    run = fine_tune(settings, runs=runs, registry=registry, console=terminal.console())
    terminal.say(f"Run: {run.path}\nNext: kerascope evaluate {run.path}")


@app.command()
def lr_find(
    config: _File,
    stage: Annotated[int, typer.Option(help="The stage whose rate is looked for; the probe is 1 and has none.")] = 2,
    steps: Annotated[int, typer.Option(min=20, help="Batches to raise the rate over.")] = 100,
    out: Annotated[Path | None, typer.Option(help="The plot, PNG; RUNS/NAME-lr-find.png if unset.")] = None,
    set_: _Set = None,
    runs: terminal.Runs = Path("runs"),
    registry: terminal.Registry = Path("registry"),
) -> None:
    """Raise the learning rate until training fails, and suggest one; trains nothing."""
    from training.config import RunConfig

    settings = RunConfig.load(config, set_ or [])
    terminal.load_tensorflow()
    from training import initial, rate_finder

    settings = initial.resolve(settings, registry)
    console = terminal.console()
    found = rate_finder.find(settings, stage=stage, steps=steps, cache=runs / ".cache", console=console)
    place = out or runs / f"{settings.name}-lr-find.png"
    rate_finder.save(rate_finder.plot(found), place)
    terminal.say(
        f"The loss falls fastest at {found.steepest:.1e} and is least at {found.lowest:.1e}.\n"
        f"Plot: {place}\nNext: kerascope train {config} --set stage.{stage}.peak_learning_rate={found.suggested:.1e}"
    )
