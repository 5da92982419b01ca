"""The evaluation as one HTML file that needs nothing beside it, and its plots as PNG files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from training import curves, figures, gallery, tables
from training.audit import pages, record
from training.evaluation import FOLDER, Evaluation
from training.figures import Plot, Scores
from training.page import Page, Section, ends, number, percent, template
from training.runs import Run
from training.summary import Measured
from zoo import disk
from zoo.cards import RESEARCH_USE_ONLY, Interval


def write(measured: Measured) -> Path:
    """Writes `evaluation/report.html` and one PNG per plot into the run folder.

    Returns:
        The path of the report.
    """
    folder = measured.run.path / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    drawn = plots(measured)
    for plot in drawn:
        (folder / f"{plot.name}.png").write_bytes(plot.png)
    report = folder / "report.html"
    disk.write_whole(report, html(measured, drawn))
    return report


def plots(measured: Measured) -> list[Plot]:
    """ROC, precision and recall, reliability, confusion, and the training's losses where they were logged."""
    seen, evaluation = measured.seen, measured.evaluation
    labels, exclusive = seen.task.labels, seen.task.kind.exclusive
    scores = Scores(labels, seen.test.labels, seen.raw, seen.probability, exclusive)
    drawn = [figures.roc(scores), figures.precision_recall(scores), figures.reliability(scores)]
    drawn.append(curves.decision_curves(scores))
    if evaluation.confusion is not None:
        drawn.append(figures.confusion(labels, evaluation.confusion))
    counts = {label.name: label.counts for label in evaluation.labels if label.counts is not None}
    if counts and not exclusive:
        drawn.append(figures.verdicts(list(counts), list(counts.values())))
    return drawn + losses(measured.run)


def losses(run: Run) -> list[Plot]:
    """The curves of `history.csv`; none where the run has no epochs to show."""
    try:
        history = pd.read_csv(run.path / "history.csv")
    except (OSError, ValueError):
        return []
    series = {
        name: history[column].to_numpy(np.float64)
        for name, column in (("training loss", "loss"), ("validation loss", "val_loss"))
        if column in history and history[column].notna().any()
    }
    return [figures.training_curves(series, _starts(history))] if series else []


def _starts(history: pd.DataFrame) -> list[int]:
    """The rows, from 1, at which a new stage begins."""
    if "stage" not in history:
        return []
    return [int(row) + 1 for row in np.flatnonzero(history["stage"].ne(history["stage"].shift())) if row]


def html(measured: Measured, drawn: list[Plot]) -> str:
    """The report as a page."""
    run, evaluation, seen = measured.run, measured.evaluation, measured.seen
    shelves = {label.name: gallery.shelves(seen, index, label) for index, label in enumerate(evaluation.labels)}
    return template("report.html.j2").render(
        notice=RESEARCH_USE_ONLY,
        run=run,
        config=run.config,
        task=seen.task,
        evaluation=evaluation,
        environment=run.environment,
        result=run.result,
        split=split_table(run),
        plots={plot.name: plot for plot in drawn},
        shelves=shelves,
        figures_of=headline(measured.evaluation),
        sections=_sections(evaluation, [plot for plot in drawn if plot.name == "decision"]),
        audited=pages.fragment(record.of_run(run.path, evaluation.model_sha256)),
    )


def split_table(run: Run) -> list[dict[str, Any]]:
    """Images, groups and positives per label of each split."""
    rows = []
    for name, words in (("train", "training"), ("val", "validation"), ("test", "test")):
        part = run.split(name)
        positives = np.nansum(part.labels == 1, axis=0).astype(int).tolist()
        rows.append({"name": words, "images": len(part), "groups": len(set(part.groups)), "positives": positives})
    return rows


def _sections(evaluation: Evaluation, decision: list[Plot]) -> list[Section]:
    """What is shown in the shape that other pages share."""
    found = [tables.benefit_section(evaluation.labels, tuple(decision))]
    if evaluation.predictive_values:
        found.append(tables.predictive_section(evaluation.predictive_values))
    if evaluation.subgroups:
        found.append(tables.subgroup_section(evaluation.subgroups))
    return [*found, tables.gate_section(evaluation.gate)]


def overview(evaluation: Evaluation) -> Page:
    """The report in short, for the terminal."""
    predictive = evaluation.predictive_values if evaluation.stated_prevalence else ()
    return Page(
        title=evaluation.run,
        lead="",
        about="",
        tiles=tuple(headline(evaluation)),
        cautions=evaluation.cautions,
        sections=(tables.predictive_section(predictive),) if predictive else (),
    )


def headline(evaluation: Evaluation) -> list[tuple[str, str, str]]:
    """The headline: (what, value, beneath it); an accuracy never without that of one answer for every image."""
    found = [("AUROC" if len(evaluation.labels) == 1 else "Mean AUROC", *_both(evaluation.macro_auroc))]
    found.append(_accuracy(evaluation))
    if evaluation.kappa is not None:
        found.append(("Quadratic weighted kappa", *_both(evaluation.kappa)))
    before, after = evaluation.calibration.ece_before, evaluation.calibration.ece_after
    found.append(("Calibration error", number(after), f"{number(before)} before calibration"))
    hits = [label.metrics for label in evaluation.labels if label.metrics.pointing_game is not None]
    if hits:
        images = sum(record.pointing_images for record in hits)
        rate = sum(r.pointing_images * (r.pointing_game.value or 0) for r in hits if r.pointing_game) / images
        centre = sum(r.pointing_images * (r.pointing_centre or 0) for r in hits) / images
        found.append(("Evidence on the lesion", percent(rate), f"{percent(centre)} for a guess at the centre"))
    return found


def _accuracy(evaluation: Evaluation) -> tuple[str, str, str]:
    each = evaluation.label_accuracy
    if each is not None:
        beneath = f"{ends(each)}; {tables.floor(evaluation.baseline, each=True)}"
        return "Right answers per finding", number(each.value), beneath
    name = "Accuracy" if evaluation.confusion is not None else "Right answers"
    beneath = f"{ends(evaluation.accuracy)}; {tables.floor(evaluation.baseline)}"
    return name, number(evaluation.accuracy.value), beneath


def _both(interval: Interval) -> tuple[str, str]:
    return number(interval.value), ends(interval)
