"""A data check on the terminal, as a page and as JSON. Images are named by row, never by file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image as Pillow
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from training.check import Check, Twin
from training.gallery import data_uri
from training.page import template
from zoo import disk, errors
from zoo.cards import RESEARCH_USE_ONLY
from zoo.imaging.image import read_file

_SHOWN = 10
_DRAWN = 60
_SIDE = 224

Rows = tuple[tuple[str, ...], ...]


def as_json(check: Check) -> dict[str, Any]:
    """Everything found, as plain values."""
    return {
        "images": len(check.images),
        "patients": patients(check),
        "task": check.task.name,
        "leakage": check.leaks,
        "patients_on_two_sides": [{"patient": name, "rows": list(rows)} for name, rows in check.torn.items()],
        "duplicates": [_twin(twin) for twin in check.twins],
        "unreadable": [{"row": row, "reason": reason} for row, reason in check.unreadable.items()],
        "mistakes": list(check.faults),
        "unlabelled_rows": list(check.unlabelled),
        "balance": {
            side: {label: dict(zip(("yes", "no", "unknown"), counts, strict=True)) for label, counts in labels.items()}
            for side, labels in check.balance().items()
        },
        "sizes": {f"{wide} x {high}": count for (wide, high), count in sizes(check)},
        "formats": dict(Counter(look.format for look in check.looks if look.format)),
        "modalities": dict(Counter(look.modality for look in check.looks if look.modality)),
        "modalities_not_of_the_task": check.strange,
        "notice": RESEARCH_USE_ONLY,
    }


def _twin(twin: Twin) -> dict[str, Any]:
    return {
        "rows": list(twin.rows),
        "splits": list(twin.sides),
        "how": twin.how,
        "bits": twin.bits,
        "one_patient": twin.one_patient,
        "labels_conflict": twin.conflict,
        "leaks": twin.leaks,
    }


def patients(check: Check) -> int | None:
    """How many patients the manifest names; None where it names none."""
    return len({group for group in check.images.groups if group.startswith("patient-")}) or None


def sizes(check: Check) -> list[tuple[tuple[int, int], int]]:
    """Width and height in pixels, the most frequent first."""
    return Counter(look.size for look in check.looks if not look.fault).most_common()


def verdict(check: Check) -> str:
    """The answer in a sentence."""
    pairs = sum(twin.leaks for twin in check.twins)
    if check.leaks:
        torn = _count(len(check.torn), "patient")
        return f"Leakage: {torn} and {_count(pairs, 'pair')} of the same picture on two sides of the split."
    if not any(check.images.splits):
        return "The manifest names no splits, so nothing can leak yet."
    return "No leakage found: no patient and no picture is on two sides."


def notes(check: Check) -> list[str]:
    """Everything to look at, in the order of how much it matters."""
    twins = check.twins
    inside = [twin for twin in twins if not twin.leaks and not twin.one_patient]
    found = [
        _listed(
            check.torn, "patient", "on two sides of the split", [f"{k}: rows {_rows(v)}" for k, v in check.torn.items()]
        ),
        _pairs([twin for twin in twins if twin.leaks], "on two sides of the split"),
        _pairs([twin for twin in twins if twin.conflict], "with labels that contradict each other"),
        _listed(check.unreadable, "file", "cannot be read", [f"row {k}: {v}" for k, v in check.unreadable.items()]),
        _listed(check.faults, "mistake", "in the table", list(check.faults)),
        _pairs(inside, "on one side or without a split; group them (split.group_near_duplicates)"),
        _listed(check.unlabelled, "image", "without any known label", [f"rows {_rows(check.unlabelled)}"]),
        _listed(
            check.strange,
            "DICOM modality",
            f"not of {check.task.name}",
            [f"{k}: {v}" for k, v in check.strange.items()],
        ),
    ]
    unnamed = sum(not group.startswith("patient-") for group in check.images.groups)
    if unnamed:
        images = (
            "No image" if patients(check) is None else f"{len(check.images) - unnamed} of {len(check.images)} images"
        )
        found.append(f"{images} has a patient_id; two others of one patient cannot be told from two patients.")
    return [note for note in found if note]


def _pairs(twins: Sequence[Twin], where: str) -> str:
    shown = [f"rows {twin.rows[0]} and {twin.rows[1]} ({twin.how})" for twin in twins]
    return _listed(twins, "pair", f"of the same picture {where}", shown)


def _listed(found: Sequence[Any] | dict[Any, Any], what: str, where: str, each: list[str]) -> str:
    """`3 files cannot be read: ...`, the first ten; nothing where nothing was found."""
    if not found:
        return ""
    more = f"; and {len(each) - _SHOWN} more" if len(each) > _SHOWN else ""
    return f"{_count(len(found), what)} {where}: {'; '.join(each[:_SHOWN])}{more}"


def _rows(rows: Sequence[int]) -> str:
    more = f" and {len(rows) - _SHOWN} more" if len(rows) > _SHOWN else ""
    return ", ".join(map(str, rows[:_SHOWN])) + more


def _count(number: int, what: str) -> str:
    plural = what[:-1] + "ies" if what.endswith("ty") else f"{what}s"
    return f"{number} {what if number == 1 else plural}"


def balance_rows(check: Check) -> tuple[tuple[str, ...], Rows]:
    """Heading and rows of the table of labels per side: has it, share of the known; unknown ones beside."""
    balance = check.balance()
    rows = []
    for label in check.task.labels:
        row = [label]
        for side in balance:
            yes, no, unknown = balance[side][label]
            share = f"{100 * yes / (yes + no):.1f} %" if yes + no else "n/a"
            row.append(f"{yes} ({share})" + (f", {unknown} unknown" if unknown else ""))
        rows.append(tuple(row))
    counts = Counter(check.sides)
    return ("label", *(f"{side} ({counts[side]})" for side in balance)), tuple(rows)


def picture_rows(check: Check) -> Rows:
    """Sizes, formats and modalities, and how many images have each."""
    found = sizes(check)
    rows = [(f"{wide} x {high} pixels", str(count)) for (wide, high), count in found[:5]]
    if len(found) > 5:
        rows.append((f"{len(found) - 5} other sizes", str(sum(count for _, count in found[5:]))))
    for name, values in (("format", "format"), ("modality", "modality")):
        counted = Counter(getattr(look, values) for look in check.looks if getattr(look, values))
        rows += [(f"{name} {value}", str(count)) for value, count in sorted(counted.items())]
    return tuple(rows)


def show(check: Check, console: Console) -> None:
    """Prints the check to the terminal."""
    people = patients(check)
    of = f" of {people} patients" if people is not None else ""
    console.print(f"{len(check.images)} images{of}, labels of {check.task.name}.", markup=False, highlight=False)
    header, rows = balance_rows(check)
    console.print(_table("Labels", header, rows))
    console.print(_table("Pictures", ("what", "images"), picture_rows(check)))
    for note in notes(check):
        console.print(f"- {note}", markup=False, highlight=False)
    console.print(verdict(check), style="bold red" if check.leaks else "bold", markup=False, highlight=False)
    console.print(RESEARCH_USE_ONLY, style="dim")


def _table(title: str, header: tuple[str, ...], rows: Rows) -> Table:
    table = Table(*header, title=title, title_justify="left", box=SIMPLE_HEAD)
    for column in table.columns[1:]:
        column.justify = "right"
    for row in rows:
        table.add_row(*row)
    return table


def write(check: Check, path: Path) -> Path:
    """Writes the check as one HTML file that needs nothing beside it, with thumbnails of the pairs.

    Raises:
        BadConfig: it cannot be written there.
    """
    worth = [twin for twin in check.twins if twin.leaks or twin.conflict or not twin.one_patient]
    page = template("check.html.j2").render(
        check=check,
        title=f"Data check: {check.task.name}",
        verdict=verdict(check),
        notes=notes(check),
        patients=patients(check),
        balance=balance_rows(check),
        pictures=picture_rows(check),
        pairs=[(twin, [thumbnail(check.images.files[place]) for place in twin.places]) for twin in worth[:_DRAWN]],
        left_out=max(len(worth) - _DRAWN, 0),
        labels=lambda place: _labels(check, place),
        notice=RESEARCH_USE_ONLY,
    )
    try:
        disk.write_whole(path, page)
    except OSError as error:
        raise errors.BadConfig(f"{path} cannot be written: {error.strerror}. Give another --html.") from None
    return path


def _labels(check: Check, place: int) -> str:
    """What an image shows, in words."""
    answers = check.images.labels[place]
    if np.isnan(answers).all():
        return "unknown"
    return ", ".join(name for name, answer in zip(check.task.labels, answers, strict=True) if answer == 1) or "none"


def thumbnail(path: Path) -> str:
    """A small JPEG of a picture, as a data URI."""
    picture = Pillow.fromarray(read_file(path).pixels)
    picture.thumbnail((_SIDE, _SIDE))
    return data_uri(np.asarray(picture))
