"""What the demo prints, and `summary.json`."""

from __future__ import annotations

from dataclasses import asdict

from demo_build import Plan
from demo_images import Answer, Refusal
from rich.console import Console
from rich.markup import escape
from rich.panel import Panel
from rich.table import Table

from zoo.bundles import Bundle
from zoo.cards import RESEARCH_USE_ONLY
from zoo.measures import Interval
from zoo.results import Verdict


def show_answer(answer: Answer, console: Console) -> None:
    """The finding with its operating point and where the evidence lies."""
    analysis = answer.analysis
    finding = analysis.leading
    point = finding.operating_point
    text = f"[bold]{finding.label}: {finding.verdict.value}[/], probability {finding.probability:.2f}"
    if point is not None:
        sensitivity, specificity = _measured(point.sensitivity), _measured(point.specificity)
        text += f"\nPresent from {point.threshold:.2f}; there sensitivity {sensitivity}, specificity {specificity}"
    if finding.verdict is not Verdict.ABSENT:
        text += f"\nThe evidence is strongest in the {finding.place} of the picture"
    if analysis.caution:
        text += f"\n[yellow]Caution: {escape(analysis.caution.message)}[/]"
    text += f"\n[dim]{analysis.notice}"
    console.print(Panel(text, title=f"{answer.sample.name}, never seen in training", expand=False))


def _measured(interval: Interval) -> str:
    """A share with its 95 % interval, as far as there were images to measure them by."""
    if interval.value is None:
        return "not measured"
    ends = "" if interval.low is None or interval.high is None else f" ({interval.low:.2f} to {interval.high:.2f})"
    return f"{interval.value:.2f}{ends}"


def show_stranger(asked: Answer | Refusal, console: Console) -> None:
    """The picture that was sent on purpose, and its refusal."""
    if isinstance(asked, Refusal):
        text = f"[bold]refused: {asked.reason}[/]\n{escape(asked.message)}"
    else:
        text = (
            "[bold red]answered, though it should be refused[/]\nThe gate let a landscape through to a model of "
            "radiographs. This is a fault of Kerascope; please report it with the output of `kerascope doctor`."
        )
    text += "\n[dim]Sent on purpose. It lies beside the samples; the dashboard refuses it, too."
    console.print(Panel(text, title=f"{asked.sample.name}, a landscape in colour", expand=False))


def summarise(plan: Plan, bundle: Bundle, answer: Answer, stranger: Answer | Refusal) -> dict[str, object]:
    """What `summary.json` holds: figures of the card, which come from the evaluation, and of these answers."""
    analysis = answer.analysis
    return {
        "notice": RESEARCH_USE_ONLY,
        "model": bundle.name,
        "version": bundle.version,
        "findings": {
            label.name: {
                "auroc": label.metrics.auroc.model_dump(),
                "pointing_game": label.metrics.pointing_game.model_dump() if label.metrics.pointing_game else None,
                "pointing_images": label.metrics.pointing_images,
                "pointing_centre": label.metrics.pointing_centre,
            }
            for label in bundle.card.labels
            if label.metrics
        },
        "analysed": {
            "sample": str(answer.sample),
            "probabilities": {finding.label: finding.probability for finding in analysis.findings},
            "leading": analysis.leading.label,
            "verdict": analysis.leading.verdict.value,
            "evidence_peak": analysis.leading.peak,
            "caution": analysis.caution and analysis.caution.message,
            "timings": vars(analysis.timings),
        },
        "refused_samples": [_fields(refusal) for refusal in answer.refused],
        "stranger": _fields(stranger) if isinstance(stranger, Refusal) else {"sample": str(stranger.sample)},
        "bundle": str(bundle.path),
        "report": str(plan.run_folder / "evaluation" / "report.html"),
        "overlay": str(plan.overlay),
    }


def show_summary(bundle: Bundle, summary: dict[str, object], console: Console) -> None:
    """The figures of the test patients as a table, and where the files are."""
    table = Table("Finding", "Test AUROC", "95 % interval", "Pointing game", "Centre guess", title="On unseen patients")
    for label in bundle.card.labels:
        if not (measured := label.metrics):
            continue
        game, auroc = measured.pointing_game, measured.auroc
        table.add_row(
            label.name,
            "undefined" if auroc.value is None else f"{auroc.value:.3f}",
            "" if auroc.low is None else f"{auroc.low:.3f} to {auroc.high:.3f}",
            "no masks" if game is None or game.value is None else f"{game.value:.2f} of {measured.pointing_images}",
            "" if measured.pointing_centre is None else f"{measured.pointing_centre:.2f}",
        )
    console.print(table)
    for what in ("bundle", "report", "overlay"):
        console.print(f"{what:8} {summary[what]}", soft_wrap=True)


def _fields(refusal: Refusal) -> dict[str, str]:
    return asdict(refusal) | {"sample": str(refusal.sample)}
