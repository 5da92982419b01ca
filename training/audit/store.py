"""One result per picture and method, written as soon as it is there: an audit that was stopped goes on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic import ValidationError

from zoo import disk
from zoo.explain.faithfulness.likeness import GRID
from zoo.measures import Record

_LEVELS = 999  # steps in which a map is kept for comparison with others


class Result(Record):
    """One method's map of one picture.

    Attributes:
        step: 0 for the trained network, then the steps of the cascade of random weights.
        method: its name, or that of a floor.
        row, label, group: of the case.
        strength: the map's raw maximum, in the method's own unit.
        seconds: how long the map took.
        hit: whether it peaks inside the mask; None without a mask, like what follows.
        mass: share of its heat inside; None, too, where it has none.
        box_iou: of its box with the mask's.
        area: the mask's share of the picture.
        insertion, deletion: areas under the curves; None where they were not measured.
        stability: likeness to the map of the picture under noise; likewise.
        likeness: of a random network's map to the trained one's; None at step 0.
        shown: the map on the grid of `likeness.on_grid`, row by row, in thousandths of its maximum.
    """

    step: int
    method: str
    row: int
    label: str
    group: str
    strength: float
    seconds: float
    hit: bool | None = None
    mass: float | None = None
    box_iou: float | None = None
    area: float | None = None
    insertion: float | None = None
    deletion: float | None = None
    stability: float | None = None
    likeness: float | None = None
    shown: tuple[int, ...] = ()

    @property
    def key(self) -> tuple[int, str, int, str]:
        """What was done: step, method, row and label."""
        return self.step, self.method, self.row, self.label

    @property
    def map(self) -> npt.NDArray[np.float32]:
        """`shown` as a map [GRID, GRID]."""
        return np.array(self.shown, np.float32).reshape(GRID, GRID)


def kept(shown: npt.NDArray[np.floating]) -> tuple[int, ...]:
    """A map [GRID, GRID], none of it negative, as `Result.shown` keeps it."""
    highest = float(shown.max())
    return tuple(np.rint(shown.ravel() / (highest or 1.0) * _LEVELS).astype(int).tolist())


class Store:
    """The results of one audit, in one file of one JSON line each, the first of which says what the audit was of.

    Args:
        path: the file; what it holds of another audit is thrown away.
        header: model, pictures and sizes; results count only for the same.
    """

    def __init__(self, path: Path, header: dict[str, Any]) -> None:
        self._path, self._header = path, json.dumps(header, sort_keys=True)
        self.results: dict[tuple[int, str, int, str], Result] = {}
        lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
        if lines and lines[0] == self._header:
            self._read(lines[1:])
        kept = (result.model_dump_json() for result in self.results.values())
        disk.write_whole(path, "\n".join([self._header, *kept]) + "\n")

    def _read(self, lines: list[str]) -> None:
        for line in lines:
            try:
                result = Result.model_validate_json(line)
            except ValidationError:
                continue  # the line that was being written when the audit was stopped
            self.results[result.key] = result

    def add(self, result: Result) -> None:
        """Keeps a result."""
        self.results[result.key] = result
        with self._path.open("a", encoding="utf-8") as file:
            file.write(result.model_dump_json() + "\n")
