"""Phantoms: generated chest radiographs in which every finding is known, as DICOM files with a manifest.

No patient was ever in them. A person (`Habitus`) keeps anatomy and the place of a lesion over several images; pose,
exposure and noise are new each time, and so, now and then, are the findings. Research use only.
"""

from __future__ import annotations

import csv
import json
import multiprocessing
import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from training.datasets import phantom_dicom
from training.datasets.phantom_people import Habitus
from training.datasets.phantom_physics import Mask
from training.datasets.phantom_radiograph import LABELS, Radiograph, radiograph
from zoo import errors

__all__ = ["LABELS", "Radiograph", "generate", "radiograph"]

GENERATOR = 1  # raised whenever the same seed gives other pictures

Progress = Callable[[int, int], None]
Row = dict[str, str | int]


def _findings(rng: np.random.Generator) -> frozenset[str]:
    """None in 30 of 100, else one to three of them: about a quarter of the images show each."""
    count = int(rng.choice(4, p=[0.30, 0.32, 0.25, 0.13]))
    return frozenset(str(name) for name in rng.choice(LABELS, size=count, replace=False))


@dataclass(frozen=True)
class _Job:
    """Everything about one person's images, for a worker."""

    folder: str
    patient: int
    images: tuple[int, int]
    size: int
    seed: int


def _patient(job: _Job) -> list[Row]:
    """Generate and write one person's images; what they show is decided before, and apart from, how they are stored."""
    person = np.random.default_rng([job.seed, job.patient])
    habitus, findings = Habitus.drawn(person), _findings(person)
    rows = []
    for image in range(1, int(person.integers(job.images[0], job.images[1] + 1)) + 1):
        if image > 1 and person.random() < 0.2:
            findings = _findings(person)
        rows.append(_one(job, habitus, findings, image))
    return rows


def _one(job: _Job, habitus: Habitus, findings: frozenset[str], image: int) -> Row:
    """Generate and write one image with its masks; its row of the manifest."""
    clerk = np.random.default_rng([job.seed, job.patient, image, 1])
    view = "AP" if clerk.random() < 0.25 else "PA"
    made = radiograph(
        np.random.default_rng([job.seed, job.patient, image, 2]), findings, habitus=habitus, view=view, size=job.size
    )
    header = phantom_dicom.Header(
        patient=job.patient,
        image=image,
        seed=job.seed,
        sex=habitus.sex,
        age=habitus.age,
        view=view,
        days=int(clerk.integers(0, 365)),
        kilovolts=int(clerk.integers(100, 126)),
        monochrome1=bool(clerk.random() < 0.25),
        syntax=str(clerk.choice(phantom_dicom.SYNTAXES)),
        window=made.window if clerk.random() < 0.6 else None,
    )
    stem = f"{phantom_dicom.patient_id(job.patient)}_{image}"
    phantom_dicom.save(Path(job.folder, "images", f"{stem}.dcm"), made.pixels, header)
    row: Row = {"file": f"images/{stem}.dcm"} | {label: int(label in findings) for label in LABELS}
    row |= {"patient_id": phantom_dicom.patient_id(job.patient)} | _masks(Path(job.folder), stem, made.masks)
    return row | {"view": view, "age": habitus.age, "sex": habitus.sex}


def _masks(folder: Path, stem: str, masks: dict[str, Mask]) -> Row:
    """Write the masks that there are; their columns of the manifest, the union first."""
    union = {"": np.logical_or.reduce(list(masks.values()))} if masks else {}
    row: Row = {}
    for label in ("", *LABELS):
        mask, name = (union | masks).get(label), "_".join(part for part in (stem, label) if part)
        row["_".join(part for part in ("mask", label) if part)] = "" if mask is None else f"masks/{name}.png"
        if mask is not None:
            Image.fromarray(mask.astype(np.uint8) * 255).save(folder / "masks" / f"{name}.png", compress_level=1)
    return row


def generate(
    out: Path,
    *,
    patients: int = 400,
    images_per_patient: tuple[int, int] = (1, 3),
    size: int = 512,
    seed: int = 0,
    progress: Progress | None = None,
    workers: int | None = None,
) -> Path:
    """Write a data set of phantoms: DICOM files, masks (PNG) and `manifest.csv`.

    Written beside `out` and renamed at the end, so that `out` is complete or absent; where it is there already with the
    same parameters (`phantoms.json`), nothing is done. The same parameters give the same files, byte for byte.

    Args:
        out: the folder to make.
        patients: how many people.
        images_per_patient: fewest and most images of each.
        size: pixels along one side, 64 or more; the plate is 36 cm wide whatever it is.
        seed: of everything.
        progress: called with the people done so far and how many there are.
        workers: processes; all cores if None. With 1, no process is started.

    Returns:
        The path of the manifest.

    Raises:
        BadConfig: an impossible parameter.
        BadManifest: `out` holds something else.
    """
    _check(patients, images_per_patient, size, seed, workers)
    recipe = {
        "generator": GENERATOR,
        "patients": patients,
        "images_per_patient": list(images_per_patient),
        "size": size,
        "seed": seed,
        "labels": list(LABELS),
    }
    out = Path(out)
    if _there(out, recipe):
        return out / "manifest.csv"
    partial = out.parent / f".{out.name}.partial-{os.getpid()}"
    shutil.rmtree(partial, ignore_errors=True)
    try:
        for name in ("images", "masks"):
            (partial / name).mkdir(parents=True)
        jobs = [_Job(str(partial), number, images_per_patient, size, seed) for number in range(1, patients + 1)]
        _write_manifest(partial, _run(jobs, workers, progress))
        (partial / "phantoms.json").write_text(json.dumps(recipe, indent=2) + "\n", encoding="utf-8")
        os.replace(partial, out)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return out / "manifest.csv"


def _check(patients: int, images: tuple[int, int], size: int, seed: int, workers: int | None) -> None:
    """Refuse what cannot be generated."""
    if patients < 1 or size < 64 or seed < 0 or (workers is not None and workers < 1):
        raise errors.BadConfig(
            f"patients {patients}, size {size}, seed {seed}, workers {workers}: expected at least 1, 64, 0 and 1."
        )
    if not 1 <= images[0] <= images[1]:
        raise errors.BadConfig(f"images_per_patient is {images}; expected (fewest, most) with 1 <= fewest <= most.")


def _there(out: Path, recipe: dict[str, object]) -> bool:
    """True where `out` is this very data set already; False where there is nothing.

    Raises:
        BadManifest: there is something else.
    """
    if not out.exists() or (out.is_dir() and not any(out.iterdir())):
        return False
    try:
        found = json.loads((out / "phantoms.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        raise errors.BadManifest(f"{out} holds something other than phantoms; choose another folder.") from None
    if found != recipe:
        raise errors.BadManifest(
            f"{out} holds phantoms made with {found}, not with {recipe}; remove it or choose another folder."
        )
    if lost := _lost(out):
        raise errors.BadManifest(f"{out} has lost {lost} of its files; remove it, and it is made again.")
    return True


def _lost(out: Path) -> int:
    """How many files of the manifest, itself included, are not there."""
    if not (out / "manifest.csv").is_file():
        return 1
    with (out / "manifest.csv").open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    names = [row[key] for row in rows for key in row if key == "file" or key.startswith("mask")]
    return sum(not (out / name).is_file() for name in names if name)


def _run(jobs: list[_Job], workers: int | None, progress: Progress | None) -> Iterator[Row]:
    """All rows, in the order of the jobs."""
    workers = min(workers or os.cpu_count() or 1, len(jobs))
    if workers == 1:
        yield from _told(map(_patient, jobs), len(jobs), progress)
        return
    with ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn")) as pool:
        try:
            yield from _told(pool.map(_patient, jobs, chunksize=2), len(jobs), progress)
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _told(results: Iterable[list[Row]], total: int, progress: Progress | None) -> Iterator[Row]:
    """Pass the rows on, and say how far we are."""
    for done, rows in enumerate(results, start=1):
        yield from rows
        if progress is not None:
            progress(done, total)


def _write_manifest(folder: Path, rows: Iterable[Row]) -> None:
    """`manifest.csv`, one row an image."""
    table = list(rows)
    with (folder / "manifest.csv").open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, fieldnames=list(table[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(table)
