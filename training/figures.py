"""The plots of the report: drawn once, as PNG files and as SVG that follows the reader's light or dark theme."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import wraps
from typing import Any, TypeVar, cast

import matplotlib
import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from training import calibrate, metrics
from zoo.measures import wilson

FloatArray = npt.NDArray[np.floating]

# Told apart with every common kind of colour vision: Okabe and Ito 2008, https://jfly.uni-koeln.de/color/
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
DASHES = ("-", "--", "-.", ":")
INK, FAINT = "#1c2733", "#c3c9d1"  # become currentColor and var(--line) in the SVG
_STYLE = {
    "font.family": "sans-serif",
    "font.size": 11,
    "axes.edgecolor": FAINT,
    "axes.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": FAINT,
    "grid.linewidth": 0.5,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "legend.frameon": False,
    "svg.fonttype": "none",
}


Drawn = TypeVar("Drawn", bound=Callable[..., "Plot"])


def styled(draw: Drawn) -> Drawn:
    """Draws in our style, and leaves everybody else's alone."""

    @wraps(draw)
    def drawn(*given: Any) -> Plot:
        with matplotlib.rc_context(_STYLE):
            return draw(*given)

    return cast(Drawn, drawn)


@dataclass(frozen=True)
class Plot:
    """One finished plot.

    Attributes:
        name: file name without ending.
        title: what it shows.
        note: how to read it.
        png: a PNG file, on white.
        svg: an `<svg>` element in the colours of the page around it.
    """

    name: str
    title: str
    note: str
    png: bytes
    svg: str


@dataclass(frozen=True, eq=False)
class Scores:
    """What the model said of the test split.

    Attributes:
        labels: names, L of them.
        truth: [N, L]; 0, 1 or nan, one-hot where exclusive.
        raw: probabilities before calibration, [N, L].
        probability: after it, [N, L].
        exclusive: whether exactly one label holds.
    """

    labels: tuple[str, ...]
    truth: FloatArray
    raw: FloatArray
    probability: FloatArray
    exclusive: bool


def known(scores: Scores, label: int) -> tuple[FloatArray, FloatArray]:
    """Probability and truth, each [n], of the images whose answer for one label is known."""
    kept = np.isfinite(scores.truth[:, label])
    return scores.probability[kept, label], scores.truth[kept, label]


@styled
def roc(scores: Scores) -> Plot:
    """Sensitivity against 1 - specificity for every label."""
    figure, axes = _square("1 - specificity", "sensitivity")
    axes.plot([0, 1], [0, 1], color=FAINT, linewidth=1)
    for label, name in enumerate(scores.labels):
        positive, negative = _tallies(*known(scores, label))
        if positive.any() and negative.any():
            axes.plot(_rising(negative), _rising(positive), label=name, **line(label))
    legend(axes, "lower right")
    return finish(figure, "roc", "ROC", "The closer to the top left, the better; the diagonal is guessing.")


@styled
def precision_recall(scores: Scores) -> Plot:
    """Precision against sensitivity for every label, with the share of positives as the floor of each."""
    figure, axes = _square("sensitivity (recall)", "precision (positive predictive value)")
    for label, name in enumerate(scores.labels):
        positive, negative = _tallies(*known(scores, label))
        if positive.any() and negative.any():
            shown = np.cumsum(positive[::-1] + negative[::-1])
            precision = np.cumsum(positive[::-1]) / shown
            axes.step(_rising(positive)[1:], precision, where="pre", label=name, **line(label))
            share = positive.sum() / shown[-1]
            axes.plot([0, 1], [share, share], color=line(label)["color"], linewidth=0.7, alpha=0.5)
    legend(axes, "lower left")
    return finish(
        figure, "precision-recall", "Precision and recall", "The thin lines are the shares of positives: guessing."
    )


@styled
def reliability(scores: Scores) -> Plot:
    """What was promised against what happened, before and after calibration, all labels pooled."""
    figure, axes = _square("probability given", "share that came true")
    axes.plot([0, 1], [0, 1], color=FAINT, linewidth=1)
    for place, (name, probability) in enumerate([("after", scores.probability), ("before", scores.raw)]):
        claims = calibrate.claims(probability, scores.truth, exclusive=scores.exclusive)
        pooled = [np.concatenate(part) for part in zip(*claims, strict=True)]
        if pooled:
            _dots(axes, calibrate.reliability(pooled[0], pooled[1]), f"{name} calibration", after=place == 0)
    legend(axes, "upper left")
    which = "The probability of the leading label" if scores.exclusive else "All labels pooled"
    note = (
        f"{which}, in 15 bins; the larger the dot, the more answers; the bars are 95 % (Wilson). "
        "On the diagonal, of those given 80 %, 80 % have it."
    )
    return finish(figure, "reliability", "Reliability", note)


@styled
def confusion(labels: Sequence[str], counts: Sequence[Sequence[int]]) -> Plot:
    """How often the label of the row was answered as the label of the column."""
    figure = Figure(figsize=(1.6 + 0.95 * len(labels), 1.2 + 0.8 * len(labels)))
    axes = figure.add_subplot()
    _cells(axes, np.array(counts, float), labels, labels)
    axes.set_xlabel("answered")
    axes.set_ylabel("true")
    note = "Numbers of images; the darker, the larger the share of the row."
    return finish(figure, "confusion", "Confusion", note)


@styled
def verdicts(labels: Sequence[str], counts: Sequence[Sequence[Sequence[int]]]) -> Plot:
    """For each label its own two-by-two table at the operating point: [[TN, FP], [FN, TP]]."""
    columns = min(len(labels), 3)
    rows = -(-len(labels) // columns)
    figure = Figure(figsize=(max(3.6, 2.5 * columns), 2.5 * rows))
    for place, (name, table) in enumerate(zip(labels, counts, strict=True)):
        axes = figure.add_subplot(rows, columns, place + 1)
        _cells(axes, np.array(table, float), ["absent", "present"], ["absent", "present"])
        axes.set_title(name, fontsize=10)
        axes.set_ylabel("true" if place % columns == 0 else "")
    figure.supxlabel("answered at the operating point", fontsize=10, color=INK)
    note = "Numbers of images; the darker, the larger the share of the row."
    return finish(figure, "confusion", "Confusion", note)


@styled
def training_curves(series: dict[str, FloatArray], stages: Sequence[int]) -> Plot:
    """Training and validation loss over the epochs of all stages.

    Args:
        series: name -> one value an epoch, nan where there is none.
        stages: the epochs, counted from 1, at which a new stage begins.
    """
    figure = Figure(figsize=(5.2, 3.2))
    axes = figure.add_subplot()
    for place, (name, values) in enumerate(series.items()):
        axes.plot(np.arange(1, len(values) + 1), values, label=name, marker=".", **line(place))
    for start in stages:
        axes.axvline(start - 0.5, color=FAINT, linewidth=1, linestyle="--")
    axes.set_xlabel("epoch")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    legend(axes, "best")
    note = "Dashed lines part the stages." if len(stages) else ""
    return finish(figure, "training", "Training", note)


def _dots(axes: Axes, table: FloatArray, name: str, *, after: bool) -> None:
    """A reliability table: filled with bars after calibration, hollow before."""
    colour, size = line(0 if after else 1)["color"], 15 + 160 * table[:, 2] / table[:, 2].sum()
    if after:
        ends = np.array([wilson(share, int(count)) for _, share, count in table])
        axes.vlines(table[:, 0], ends[:, 0], ends[:, 1], color=colour, linewidth=1, alpha=0.6)
    axes.scatter(
        table[:, 0],
        table[:, 1],
        s=size,
        label=name,
        edgecolors=colour,
        facecolors=colour if after else "none",
        zorder=2,
    )


def _tallies(probability: FloatArray, truth: FloatArray) -> tuple[FloatArray, FloatArray]:
    if not truth.size:
        return np.zeros(1), np.zeros(1)
    _, positive, negative = metrics.tally(probability, truth, np.ones((1, len(truth))))
    return positive[0], negative[0]


def _rising(counts: FloatArray) -> FloatArray:
    """Share of images at or above each threshold, from the highest down, beginning at none."""
    return np.concatenate([[0.0], np.cumsum(counts[::-1]) / counts.sum()])


def line(place: int) -> dict[str, Any]:
    """Colour and dashes of the curve at this place."""
    return {"color": COLOURS[place % len(COLOURS)], "linestyle": DASHES[place % len(DASHES)]}


def _square(x: str, y: str) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(4.4, 4.2))
    axes = figure.add_subplot()
    axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), xlabel=x, ylabel=y, aspect="equal")
    return figure, axes


def legend(axes: Axes, where: str) -> None:
    """A legend, if there is anything to say."""
    if axes.get_legend_handles_labels()[0]:
        axes.legend(loc=where, fontsize=9)


def _cells(axes: Axes, counts: FloatArray, rows: Sequence[str], columns: Sequence[str]) -> None:
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1.25, aspect="auto")
    for (row, column), count in np.ndenumerate(counts):
        ink = "white" if shares[row, column] > 0.6 else "#10202f"
        axes.text(column, row, f"{count:g}", ha="center", va="center", color=ink)
    axes.set_xticks(range(len(columns)), columns)
    axes.set_yticks(range(len(rows)), rows)
    axes.grid(visible=False)
    axes.tick_params(length=0)


def finish(figure: Figure, name: str, title: str, note: str) -> Plot:
    """The drawing as PNG and as SVG that follows the page's theme."""
    FigureCanvasAgg(figure)
    figure.set_layout_engine("tight")
    png, svg = io.BytesIO(), io.BytesIO()
    figure.savefig(png, format="png", dpi=130, facecolor="white")
    with matplotlib.rc_context({"svg.hashsalt": name}):
        figure.savefig(svg, format="svg", transparent=True, metadata={"Date": None})
    return Plot(name, title, note, png.getvalue(), _themed(svg.getvalue().decode(), title))


def _themed(svg: str, title: str) -> str:
    body = svg[svg.index("<svg") :]
    body = re.sub(r"<metadata>.*?</metadata>", "", body, flags=re.DOTALL)
    body = body.replace("<svg ", f'<svg role="img" aria-label="{title}" ', 1)
    return body.replace(INK, "currentColor").replace(FAINT, "var(--line)")
