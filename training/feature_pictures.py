"""The pictures of `kerascope features`."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from pathlib import Path

import matplotlib
import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from training.figures import COLOURS, FAINT, INK
from zoo import disk
from zoo.cards import RESEARCH_USE_ONLY
from zoo.explain import features

Pixels = npt.NDArray[np.uint8]
OUTLINE = "#56DCE9"
_DRAWN = 4  # pictures of each unit
_MARKERS = "osD^vP*X"
_STYLE = {"font.family": "sans-serif", "font.size": 9, "text.color": INK, "axes.edgecolor": FAINT}


def save(path: Path, png: bytes) -> Path:
    """Writes a PNG whole or not at all."""
    with disk.whole(path) as hidden:
        hidden.write_bytes(png)
    return path


def grid(tiles: Pixels, note: str, names: Sequence[str] = ()) -> bytes:
    """Tiles [N, h, w] or [N, h, w, 3] side by side, as square as they come, each with its name."""
    columns = int(np.ceil(np.sqrt(len(tiles))))
    rows = -(-len(tiles) // columns)
    side = 2.0 if names else 0.9

    def draw(places: npt.NDArray[np.object_]) -> None:
        for place, tile in zip(places.ravel(), tiles, strict=False):
            _show(place, tile)
        for place, name in zip(places.ravel(), names, strict=False):
            place.set_title(name, fontsize=8)

    return _figure(rows, columns, (side * columns, side * rows), note, draw)


def neighbours(
    asked: Pixels, known: Pixels, found: features.Neighbours, names: Sequence[Sequence[str]], note: str
) -> bytes:
    """A row for each picture asked about: itself, then its neighbours with similarity and labels."""
    count = found.index.shape[1]

    def draw(places: npt.NDArray[np.object_]) -> None:
        for row, line in enumerate(places):
            _show(line[0], asked[row])
            line[0].set_title("asked about", fontsize=8)
            for place, index, alike, name in zip(
                line[1:], found.index[row], found.similarity[row], names[row], strict=True
            ):
                _show(place, known[index])
                place.set_title(f"{alike:.3f}  {name}", fontsize=8)

    return _figure(len(asked), count + 1, (1.7 * (count + 1), 1.9 * len(asked)), note, draw)


def scatter(flat: features.Flat, truth: npt.NDArray[np.float32], labels: Sequence[str], note: str) -> bytes:
    """Every picture as a point, in the colour and form of its label; so are several labels, none and unknown."""
    groups = _groups(truth, labels)

    def draw(places: npt.NDArray[np.object_]) -> None:
        axes: Axes = places[0, 0]
        for number, name in enumerate(dict.fromkeys(groups)):
            points = flat.points[[group == name for group in groups]]
            colour, marker = COLOURS[number % len(COLOURS)], _MARKERS[number % len(_MARKERS)]
            axes.scatter(
                points[:, 0],
                points[:, 1],
                s=18,
                marker=marker,
                c=colour,
                alpha=0.75,
                linewidths=0,
                label=f"{name} ({len(points)})",
            )
        axes.legend(frameon=False, fontsize=8, loc="center left", bbox_to_anchor=(1, 0.5))
        axes.set_xticks([])
        axes.set_yticks([])
        if flat.explained:
            axes.set_xlabel(f"{flat.explained[0]:.0%} of the variance")
            axes.set_ylabel(f"{flat.explained[1]:.0%} of the variance")

    return _figure(1, 1, (7.5, 5.0), note, draw)


def _groups(truth: npt.NDArray[np.float32], labels: Sequence[str]) -> list[str]:
    found = []
    for row in truth:
        held = [name for name, value in zip(labels, row, strict=True) if value == 1]
        found.append(held[0] if len(held) == 1 else "several" if held else "unknown" if np.isnan(row).any() else "none")
    return found


def units(
    pixels: Pixels, lesions: npt.NDArray[np.bool_], maps: features.FloatArray, best: Sequence[features.Unit], note: str
) -> bytes:
    """A row for each unit: the pictures it lights up most of, dark where it does not, with the lesion's outline."""
    shown = min(_DRAWN, len(pixels))

    def draw(places: npt.NDArray[np.object_]) -> None:
        for line, unit in zip(places, best, strict=True):
            lit = (maps[..., unit.unit] >= unit.threshold).mean(axis=(1, 2))
            order = np.lexsort((-maps[..., unit.unit].mean(axis=(1, 2)), -lit))[:shown]
            for place, index in zip(line, order, strict=True):
                _lit(place, pixels[index], lesions[index], maps[index, ..., unit.unit], unit.threshold)
            line[0].set_ylabel(f"unit {unit.unit}\nIoU {unit.iou:.3f}", fontsize=8)

    return _figure(len(best), shown, (1.8 * shown + 0.5, 1.8 * len(best)), note, draw)


def _lit(
    place: Axes, pixels: Pixels, lesion: npt.NDArray[np.bool_], activation: features.FloatArray, threshold: float
) -> None:
    height, width = pixels.shape[:2]
    above = features.above_threshold(activation[..., None], np.array([threshold]), height, width)
    _show(place, np.where(above, pixels, pixels // 3).astype(np.uint8))
    extent = (-0.5, width - 0.5, height - 0.5, -0.5)
    place.contour(lesion, levels=[0.5], colors=OUTLINE, linewidths=1, extent=extent, origin="upper")


def _show(place: Axes, pixels: Pixels) -> None:
    grey = pixels.ndim == 2 or pixels.shape[-1] == 1
    place.imshow(pixels.reshape(pixels.shape[:2]) if grey else pixels, cmap="gray", vmin=0, vmax=255)
    place.set_axis_on()


def _figure(
    rows: int, columns: int, size: tuple[float, float], note: str, draw: Callable[[npt.NDArray[np.object_]], None]
) -> bytes:
    """A PNG of rows x columns places under a title, with the notice below."""
    with matplotlib.rc_context(_STYLE):
        figure = Figure(figsize=(max(size[0], 5.0), size[1] + 0.8), layout="constrained")
        FigureCanvasAgg(figure)
        places = figure.subplots(rows, columns, squeeze=False)
        for place in places.ravel():
            place.set_xticks([])
            place.set_yticks([])
            place.set_axis_off()
        if rows == columns == 1:
            places[0, 0].set_axis_on()
        draw(places)
        figure.suptitle(note, fontsize=9, wrap=True)
        figure.supxlabel(RESEARCH_USE_ONLY, fontsize=7)
        buffer = io.BytesIO()
        figure.savefig(buffer, format="png", dpi=110, facecolor="white")
    return buffer.getvalue()
