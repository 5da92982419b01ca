"""`kerascope evaluate`, `crossval`, `compare`, `ensemble`, `export`: from run folders to numbers and a bundle."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from zoo import errors, extras, terminal

app = typer.Typer()
Manifest = Annotated[Path | None, typer.Option(help="For a bundle: the manifest of the images to measure it on.")]


@app.command()
def evaluate(
    run: Annotated[Path, typer.Argument(help="A run folder; or a bundle, with --manifest and --out.")],
    force: Annotated[bool, typer.Option(help="Measure again what was measured before.")] = False,
    prevalence: Annotated[
        list[str] | None, typer.Option(help="label=share among the patients it is meant for, such as nodule=0.01.")
    ] = None,
    tta: Annotated[int, typer.Option(help="Also with test-time augmentation: how many looks at each picture.")] = 0,
    mc_dropout: Annotated[int, typer.Option(help="Also with Monte Carlo dropout: how many samples.")] = 0,
    robustness: Annotated[bool, typer.Option(help="Also under noise, blur, loss of contrast and JPEG.")] = False,
    manifest: Manifest = None,
    out: Annotated[Path | None, typer.Option(help="For a bundle: the folder to write.")] = None,
) -> None:
    """Measure a run on its test split and write the report; or a bundle on images from elsewhere."""
    terminal.load_tensorflow()
    from training.clinical import parse_prevalence

    stated = parse_prevalence(prevalence) if prevalence else None
    if manifest is None and out is None:
        _evaluate_run(run, force, stated, tta, mc_dropout, robustness)
    elif manifest is None or out is None:
        raise errors.BadRequest("A bundle is measured with both --manifest M and --out DIR; a run with neither.")
    elif tta or mc_dropout or robustness:
        raise errors.BadRequest("--tta, --mc-dropout and --robustness are for a run; a bundle answers as it serves.")
    else:
        _evaluate_bundle(run, manifest, out, stated)


def _evaluate_run(
    path: Path, force: bool, prevalence: dict[str, float] | None, tta: int, mc_dropout: int, worse: bool
) -> None:
    from training import averaging, page, report, robustness
    from training.evaluate import evaluate as measure
    from training.runs import Run

    run, console = Run(path), terminal.console()
    page.show(report.overview(measure(run, console=console, force=force, prevalence=prevalence)), console)
    written = ["report.html"]
    if tta or mc_dropout:
        found = averaging.averaging(run, tta=tta, mc_dropout=mc_dropout, console=console)
        page.show(averaging.report(found), console)
        written.append("averaging.html")
    if worse:
        page.show(robustness.report(robustness.robustness(run, console=console)), console)
        written.append("robustness.html")
    for name in written:
        terminal.say(f"Report: {path / 'evaluation' / name}")
    terminal.say(f"Next: kerascope export {path} --registry registry")


def _evaluate_bundle(path: Path, manifest: Path, out: Path, prevalence: dict[str, float] | None) -> None:
    from training import external, page

    console = terminal.console()
    found = external.evaluate_bundle(path, manifest, out, prevalence=prevalence, console=console)
    page.show(external.summary(found, external.find(path).card), console)
    terminal.say(f"Report: {out / 'report.html'}")


@app.command()
def export(
    run: Annotated[Path, typer.Argument(help="A run folder.")],
    registry: terminal.Registry = Path("registry"),
    format_: Annotated[
        Literal["bundle", "onnx"], typer.Option("--format", help="A bundle to serve, or one ONNX file.")
    ] = "bundle",
    out: Annotated[Path | None, typer.Option(help="The ONNX file; NAME.onnx if unset.")] = None,
    pictures: Annotated[
        bool,
        typer.Option("--pictures", help="Put small pictures of the test split in it, where licence and people allow."),
    ] = False,
) -> None:
    """Write a run as the next version of its bundle, or as an ONNX file with its card."""
    for module in ("tf2onnx", "onnx", "onnxruntime") if format_ == "onnx" else ():
        extras.need(module, "`kerascope export --format onnx`")
    terminal.load_tensorflow()
    from training.publish import export_run, export_run_to_onnx
    from training.runs import Run

    if format_ == "onnx":
        path, card = export_run_to_onnx(Run(run), out)
        terminal.say(f"ONNX: {path}, which ONNX Runtime answers as the model does\nCard: {card}")
        terminal.say_research_use_only()
        return
    if out is not None:
        raise errors.BadRequest("--out is for --format onnx; a bundle goes into --registry.")
    bundle = export_run(Run(run), registry, pictures=pictures)
    terminal.say(f"Bundle: {bundle.path}")
    terminal.say(f"Next: kerascope serve --model_name {bundle.name} --model_base_path {bundle.path.parent}")


@app.command()
def crossval(
    config: Annotated[Path, typer.Argument(help="A training file, for example training/configs/chest_xray.toml.")],
    folds: Annotated[int, typer.Option(help="How many, 2 or more.")] = 5,
    set_: Annotated[list[str] | None, typer.Option("--set", help="key=value, over the file's own.")] = None,
    runs: terminal.Runs = Path("runs"),
) -> None:
    """Train and measure a model for every fold and pool the answers; run again after a kill, it goes on."""
    from training.config import RunConfig

    settings = RunConfig.load(config, set_ or [])
    terminal.load_tensorflow()
    from training import crossval as validation
    from training import page
    from training.folds import summary

    found = validation.crossval(settings, folds=folds, runs=runs, console=terminal.console())
    page.show(summary(found), terminal.console())
    terminal.say(f"Report: {runs / f'{settings.name}-{folds}-folds' / 'report.html'}")


@app.command()
def compare(
    first: Annotated[Path, typer.Argument(help="A run, a cross-validation, an ensemble, or a bundle with --manifest.")],
    second: Annotated[Path, typer.Argument(help="Another, measured on the same images.")],
    manifest: Manifest = None,
    out: Annotated[Path, typer.Option(help="The folder to write.")] = Path("comparison"),
) -> None:
    """Test whether two models differ on the same images: DeLong and a bootstrap over patients."""
    if manifest is not None:
        terminal.load_tensorflow()
    from training import candidates, page
    from training import compare as comparing

    console = terminal.console()
    both = [candidates.candidate(path, manifest, console=console) for path in (first, second)]
    found = comparing.compare(*both)
    page.show(comparing.report(found), console)
    terminal.say(f"Report: {comparing.write(found, out)}")


@app.command()
def ensemble(
    runs: Annotated[list[Path], typer.Argument(help="Two or more run folders, evaluated on the same test split.")],
    out: Annotated[Path, typer.Option(help="The folder to write.")] = Path("ensemble"),
) -> None:
    """Average several runs' calibrated probabilities and measure the mean; a bundle stays one model."""
    from training import ensemble as committee
    from training import page
    from training.runs import Run

    found = committee.ensemble([Run(path) for path in runs], out)
    page.show(committee.report(found), terminal.console())
    terminal.say(f"Report: {out / 'report.html'}")
