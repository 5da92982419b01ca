"""Parts of report pages that several commands share: a scorecard as headline, table and plots."""

from __future__ import annotations

from collections.abc import Sequence

from training import compare, figures
from training.clinical import PredictiveValues
from training.compare import Comparison
from training.evaluation import LabelResult
from training.figures import FloatArray, Plot, Scores
from training.page import Cell, Section, cells, ends, number, percent
from training.predictions import Predictions
from training.scoring import Scorecard
from zoo.cards import Baseline, Interval, Subgroup
from zoo.measures import wilson
from zoo.reference import Gate
from zoo.tasks import Task

Tile = tuple[str, str, str]


def tiles(found: Scorecard) -> tuple[Tile, ...]:
    """The headline of a scorecard."""
    name = "AUROC" if len(found.labels) == 1 else "Mean AUROC"
    rows: list[Tile] = [
        (name, number(found.macro_auroc.value), ends(found.macro_auroc)),
        ("Accuracy", number(found.accuracy.value), f"{ends(found.accuracy)}; {floor(found.baseline)}"),
    ]
    if found.label_accuracy is not None:
        rows.append(("Right answers per finding", number(found.label_accuracy.value), floor(found.baseline, each=True)))
    if found.kappa is not None:
        rows.append(("Quadratic weighted kappa", number(found.kappa.value), ends(found.kappa)))
    rows.append(("Calibration error", number(found.ece), f"log loss {number(found.nll)} nats"))
    played = [label for label in found.labels if label.pointing_game is not None]
    if played:
        images = sum(label.pointing_images for label in played)
        hits = sum(label.pointing_images * (label.pointing_game.value or 0) for label in played if label.pointing_game)
        rows.append(("Evidence on the lesion", percent(hits / images), f"of {images} images with a mask"))
    return tuple(rows)


def floor(baseline: Baseline | None, *, each: bool = False) -> str:
    """What one answer for every image would score, in words; `each` for the share of right answers per finding."""
    if baseline is None:
        return "no baseline"
    share = baseline.label_accuracy if each else baseline.accuracy
    return f"{number(share)} for “{baseline.answer}”"


def label_section(found: Scorecard) -> Section:
    """Label by label."""
    pointed = any(label.pointing_game for label in found.labels)
    header = ("Label", "With / without", "AUROC", "AUPRC", "Sensitivity", "Specificity")
    rows = []
    for label in found.labels:
        row = cells(
            label.name,
            f"{label.positives} / {label.negatives}",
            label.auroc,
            label.auprc,
            label.sensitivity,
            label.specificity,
        )
        if pointed:
            row += (
                (Cell(percent(label.pointing_game.value), ends(label.pointing_game)),)
                if label.pointing_game
                else (Cell("no masks"),)
            )
        rows.append(row)
    note = "Small figures are 95 % intervals from 1000 bootstrap samples of patients."
    return Section("Label by label", header + (("Evidence on lesion",) if pointed else ()), tuple(rows), note)


def curves(answers: Predictions, raw: FloatArray, task: Task, found: Scorecard) -> tuple[Plot, ...]:
    """ROC, precision and recall, reliability, and the confusion of an exclusive task.

    Args:
        answers: the calibrated probabilities with their truth.
        raw: probabilities before calibration, [N, L].
        task: the question.
        found: the scorecard of `answers`.
    """
    scores = Scores(task.labels, answers.truth, raw, answers.probability, task.kind.exclusive)
    drawn = [figures.roc(scores), figures.precision_recall(scores), figures.reliability(scores)]
    if found.confusion is not None:
        drawn.append(figures.confusion(task.labels, found.confusion))
    return tuple(drawn)


def subgroup_section(found: Sequence[Subgroup]) -> Section:
    """For whom it works: one row a kind of patient or picture."""
    rows = tuple(
        cells(
            f"{group.by}: {group.value}",
            group.images,
            group.patients,
            group.accuracy,
            group.macro_auroc,
            _lowest(group.sensitivity),
            _lowest(group.specificity),
        )
        for group in found
    )
    header = ("Kind", "Images", "Groups", "Accuracy", "Mean AUROC", "Lowest sensitivity", "Lowest specificity")
    note = (
        "Small figures are 95 % intervals over patients. Lowest: of the labels, at the operating point. "
        "Each label is in evaluation.json. Many small groups: a few will look worse by chance alone."
    )
    return Section("For whom does it work?", header, rows, note)


def _lowest(shares: dict[str, Interval]) -> str:
    known = {label: share.value for label, share in shares.items() if share.value is not None}
    if not known:
        return "n/a"
    label = min(known, key=lambda name: known[name])
    return f"{number(known[label])} {label}"


def gate_section(found: Gate) -> Section:
    """What the gate promises, on how many patients that rests, and what it did with the test split."""
    header = ("Compared by", "Patients", "Images", "Cautioned, at most", "Refused, at most")
    named = (
        ("grey levels and texture", found.texture),
        ("layout", found.layout),
        ("the network's features", found.embedding),
    )
    rows = [
        cells(
            name,
            part.limits.patients,
            part.limits.images,
            _tenths(part.limits.caution_share),
            _tenths(part.limits.refusal_share),
        )
        for name, part in named
        if part is not None and part.limits is not None
    ]
    if not rows:
        note = (
            "There are too few patients to set a limit by: every image is answered, however unlike the training images."
        )
        return Section("Unusual images", note=note)
    whole = (found.caution_share, found.refusal_share)
    rows.append(cells("All together", "", "", *map(_tenths, whole)))
    if (tested := found.tested) is not None and tested.images:
        shares = [
            Cell(
                f"{count} of {tested.images}", "{:.1%} to {:.1%}".format(*wilson(count / tested.images, tested.images))
            )
            for count in (tested.cautioned + tested.refused, tested.refused)
        ]
        rows.append((*cells("The test split", tested.patients, tested.images), *shares))
    note = (
        "Of images of new patients, of the training's kind, no more are answered with a caution or refused (conformal "
        "limits; Lee, Barber and Willett 2023, arXiv 2306.06342). Small figures are Wilson's 95 % intervals."
    )
    return Section("Unusual images", header, tuple(rows), note)


def _tenths(share: float | None) -> str:
    """A small share in per cent, or `none`."""
    return "none" if share is None else f"{100 * share:.1f} %"


def predictive_section(found: Sequence[PredictiveValues]) -> Section:
    """What a verdict means at each prevalence."""
    rows = tuple(
        cells(
            value.label,
            f"{100 * value.prevalence:.3g} % " + ("(stated)" if value.stated else "(these images)"),
            value.ppv,
            value.npv,
        )
        for value in found
    )
    note = (
        "PPV: of those answered present, the share that have it; NPV: of those answered absent, the share that do not. "
        "By the theorem of Bayes, from sensitivity and specificity, taken to be the same at that prevalence."
    )
    return Section("What a verdict means", ("Label", "Prevalence", "PPV", "NPV"), rows, note)


def benefit_section(labels: Sequence[LabelResult], plots: tuple[Plot, ...] = ()) -> Section:
    """Net benefit at a few threshold probabilities: the model's, and in small print that of acting on all."""
    curves_of = {label.name: label.decision_curve for label in labels if label.decision_curve}
    header = ("Threshold", *(f"{point.threshold:g}" for curve in list(curves_of.values())[:1] for point in curve))
    rows = tuple(
        (Cell(name), *(Cell(f"{point.model:.3f}", f"all {point.everyone:.3f}") for point in curve))
        for name, curve in curves_of.items()
    )
    note = "Net benefit in true positives an image (Vickers and Elkin 2006), for the prevalence of these images."
    return Section("Is acting on it of use?", header, rows, note, plots)


def gains(rows: list[tuple[str, Scorecard, Comparison | None]]) -> Section:
    """A table of methods, and of what each adds to the first: AUROC, accuracy, calibration error, log loss."""
    listed = ("Mean AUROC", "Accuracy", compare.ECE, compare.LOSS)
    table = []
    for _, scores, against in rows:
        shares = (scores.macro_auroc.value, scores.accuracy.value, scores.ece, scores.nll)
        found = {row.quantity: compare.signed(row.difference) for row in against.rows} if against else {}
        deltas = [found.get(name, found.get(_alone(name, scores), "")) for name in listed]
        table.append(tuple(Cell(number(share), delta) for share, delta in zip(shares, deltas, strict=True)))
    body = tuple((*cells(row[0]), *found) for row, found in zip(rows, table, strict=True))
    note = "Beneath: the difference to the first row, with its 95 % interval from a paired bootstrap over patients."
    return Section("What each adds", ("", "Mean AUROC", "Accuracy", "Calibration error", "Log loss"), body, note)


def _alone(name: str, scores: Scorecard) -> str:
    """The AUROC of a task with one label has that label's name."""
    return f"AUROC {scores.labels[0].name}" if name == "Mean AUROC" and len(scores.labels) == 1 else name
