"""NIH ChestX-ray14: Wang et al. 2017, https://arxiv.org/abs/1705.02315; boxes of 880 images, official test list."""

from __future__ import annotations

import collections
from pathlib import Path

import pandas as pd
from PIL import Image as Pillow

from training.datasets import source as common
from training.datasets.source import Box, PublicSet
from training.datasets.work import Work
from zoo import errors
from zoo.tasks import CHEST_FINDINGS

NO_FINDING = "No Finding"
SIDE = 1024  # pixels of the published pictures, in which the boxes are given
_BOXED = {"Infiltrate": "Infiltration"}  # BBox_List_2017.csv has a word of its own


def read(source: Path, work: Work) -> pd.DataFrame:
    """One row an image of `Data_Entry_2017*.csv`.

    `box_<label>` holds that finding's boxes and `box` all of them, in the pixels of the picture that is there: copies
    are often smaller than the published 1024 x 1024. Without the two list files there is no split.
    """
    index = common.table(
        common.need(source, "Data_Entry_2017_v2020.csv", "Data_Entry_2017*.csv"),
        ("Image Index", "Finding Labels", "Patient ID", "Patient Age", "Patient Gender", "View Position"),
    )
    found = (set(text.split("|")) - {NO_FINDING} for text in index["Finding Labels"])
    files = common.places((Path(name).stem for name in index["Image Index"]), common.pictures(source))
    frame = pd.DataFrame({"file": files} | common.one_hot(found, CHEST_FINDINGS.labels))
    frame["patient_id"] = index["Patient ID"]
    if (sides := _official(source, index["Image Index"])) is not None:
        frame["split"] = sides
    frame["view"] = index["View Position"]
    frame["age"] = index["Patient Age"].map(common.age)
    frame["sex"] = index["Patient Gender"].map(common.sex)
    return frame.assign(**_boxes(common.find(source, "BBox_List_2017*.csv"), index["Image Index"], files))


def _official(source: Path, names: pd.Series) -> list[str] | None:
    lists = {"train": common.find(source, "train_val_list*.txt"), "test": common.find(source, "test_list*.txt")}
    if None in lists.values():
        return None
    sides = {name: side for side, path in lists.items() if path is not None for name in path.read_text("utf-8").split()}
    if unknown := [name for name in names if name not in sides]:
        raise errors.BadManifest(
            f"{len(unknown)} images are in neither train_val_list.txt nor test_list.txt. Download both lists again."
        )
    return [sides[name] for name in names]


def _boxes(path: Path | None, names: pd.Series, files: list[Path | None]) -> dict[str, list[str]]:
    """The columns `box` and `box_<label>`; the list's own header is torn apart by commas, so columns go by place."""
    if path is None:
        return {}
    drawn: dict[str, list[tuple[str, Box]]] = collections.defaultdict(list)
    for row in common.table(path, ("Image Index", "Finding Label")).itertuples(index=False):
        x, y, width, height = (float(value) for value in row[2:6])
        drawn[row[0]].append((_BOXED.get(row[1], row[1]), (x, y, width, height)))
    scaled = [_scaled(drawn.get(name, []), file) for name, file in zip(names, files, strict=True)]
    columns = {"box": [common.boxes(box for _, box in row) for row in scaled]}
    for label in CHEST_FINDINGS.labels:
        columns[f"box_{label}"] = [common.boxes(box for of, box in row if of == label) for row in scaled]
    return columns


def _scaled(drawn: list[tuple[str, Box]], file: Path | None) -> list[tuple[str, Box]]:
    """Boxes in the pixels of the picture that is there."""
    if not drawn or file is None:
        return []
    with Pillow.open(file) as picture:
        across, down = picture.width / SIDE, picture.height / SIDE
    return [(label, (x * across, y * down, w * across, h * down)) for label, (x, y, w, h) in drawn]


SET = PublicSet(
    name="nih-chest-xray14",
    title="NIH ChestX-ray14",
    task=CHEST_FINDINGS.name,
    licence="free to use; the NIH Clinical Center asks to be named, and the paper to be cited",
    obtain="Get it from the NIH Clinical Center's Box folder: the 12 image archives, unpacked, and the tables.",
    page="https://nihcc.app.box.com/v/ChestXray-NIHCC",
    citation="Wang et al. 2017, ChestX-ray8, CVPR, arXiv:1705.02315",
    layout="""
Data_Entry_2017_v2020.csv (or Data_Entry_2017.csv)
images/00000001_000.png ... (or images_001/images/ to images_012/images/)
train_val_list.txt, test_list.txt   the official split; optional
BBox_List_2017.csv                  boxes of 8 findings; optional
""",
    reader=read,
)
