"""Phantoms: physics by hand, the truth of the masks, DICOM files, no leak, a data set that is whole or absent."""

from __future__ import annotations

import csv
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pydicom
import pytest
from PIL import Image
from scipy import ndimage
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from training.datasets import phantom_dicom, phantom_findings, phantom_radiograph, phantoms
from training.datasets.phantom_anatomy import Chest, build
from training.datasets.phantom_people import Habitus, Pose
from training.datasets.phantom_physics import Exposure, Grid, attenuation, detect, rod, transmitted
from zoo import errors
from zoo.tasks import PHANTOM_CHEST

LABELS = PHANTOM_CHEST.labels
SMALL = {"patients": 4, "images_per_patient": (1, 2), "size": 96, "workers": 1}


def chest(*, ratio: float = 0.44, size: int = 160, seed: int = 0) -> Chest:
    return build(Grid.posed(size), Habitus.drawn(np.random.default_rng(seed)), Pose(ratio=ratio))


def rows(manifest: Path) -> list[dict[str, str]]:
    with manifest.open(newline="") as stream:
        return list(csv.DictReader(stream))


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def header(path: Path) -> dict[str, str]:
    dataset = pydicom.dcmread(path)
    elements = [*dataset.file_meta, *(element for element in dataset if element.keyword != "PixelData")]
    return {element.keyword: str(element.value) for element in elements}


# Physics


def test_attenuation_and_transmission_equal_the_ray_worked_out_by_hand():
    # 10 cm soft tissue, 14 cm lung, 5 mm bone: 0.217*10 + 0.053*14 + 0.604*0.5 = 2.17 + 0.742 + 0.302 = 3.214;
    # of 100 000 photons exp(-3.214) = 0.040195 pass: 4019.5.
    exponent = attenuation(*(np.full((1, 1), path, np.float32) for path in (10, 14, 0.5)))
    assert exponent[0, 0] == pytest.approx(3.214, rel=1e-6)
    assert transmitted(1e5, exponent)[0, 0] == pytest.approx(4019.5, abs=1)


def test_one_pixel_of_a_chest_counts_each_material_once():
    # 20 cm of body hold 12 lung (0.5 of it vessel), 0.4 bone, 1 gas: soft tissue 20-12-0.4-1 = 6.6, and vessel 0.5, and
    # breast 2 outside the body = 9.1; lung without vessel 11.5.
    # 0.217*9.1 + 0.053*11.5*0.8 (a light lung) + 0.604*0.4 = 1.9747 + 0.4876 + 0.2416 = 2.7039.
    one = chest(size=64)
    names = ("body", "lung", "vessels", "bone", "gas", "extra", "texture")
    for name, value in zip(names, (20, 12, 0.5, 0.4, 1, 2, 0.8), strict=True):
        setattr(one, name, np.full((1, 1), value, np.float32))
    assert one.exponent()[0, 0] == pytest.approx(2.7039, rel=1e-5)


def test_a_ray_3_cm_from_the_axis_of_a_rod_of_radius_5_crosses_8_cm():
    assert rod(np.array([3.0, 5.0, 6.0], np.float32), 5.0).tolist() == [8.0, 0.0, 0.0]


def test_the_plate_reads_half_of_its_latitude_as_middle_grey():
    # No scatter: -ln(exp(-3)) = 3 nepers of 6, so 0.5 * 4095 = 2047.5; noise is 0.1 % at a million photons passed.
    exposure = Exposure(photons_per_cm2=2e9, scatter=0.0, darkness=0.0, latitude=6.0)
    grey = detect(np.full((64, 64), 3.0, np.float32), exposure, 0.1, np.random.default_rng(0))
    assert grey.mean() == pytest.approx(2047.5, abs=1)


def test_quantum_noise_is_the_square_root_of_the_photons_counted():
    # 1e6 per cm2 on 0.1 cm pixels is 10 000; exp(-2) of them, 1353, pass: the logarithm spreads by
    # 1/sqrt(1353) = 0.0272 nepers. Grey levels: 0.0272 / 6 * 4095 = 18.6.
    exposure = Exposure(photons_per_cm2=1e6, scatter=0.0, blur_pixels=0.01)
    grey = detect(np.full((128, 128), 2.0, np.float32), exposure, 0.1, np.random.default_rng(0))
    assert grey.std() == pytest.approx(18.6, rel=0.05)


def test_the_heart_is_as_wide_as_its_ratio_says():
    grid, habitus = Grid.posed(512), Habitus()
    for ratio in (0.40, 0.50, 0.62):
        made = build(grid, habitus, Pose(ratio=ratio))
        across = np.flatnonzero((made.heart > 0).any(axis=0))
        width = (across[-1] - across[0]) * grid.pixel_cm
        assert width / (2 * made.outer.max()) == pytest.approx(ratio, abs=0.01)


# Findings


def test_cardiomegaly_is_a_ratio_above_one_half_and_sizes_meet_there():
    ratios = {
        label: np.array([phantoms.radiograph(np.random.default_rng(s), label, size=64).ratio for s in range(8)])
        for label in ((), ("cardiomegaly",))
    }
    assert ratios[()].max() < 0.5 < ratios[("cardiomegaly",)].min()
    assert ratios[("cardiomegaly",)].min() - ratios[()].max() < 0.08
    # The largest normal heart and the smallest enlarged one, at the ends of the quantiles, nearly meet.
    assert phantom_radiograph.heart_ratio(0.0, True) - phantom_radiograph.heart_ratio(1.0, False) < 0.015


@pytest.mark.parametrize("label", LABELS)
def test_a_finding_has_a_mask_inside_the_body_and_no_other_has_one(label: str):
    for seed in range(3):
        made = chest(ratio=0.55, seed=seed)
        mask = phantom_findings.FINDINGS[label](made, np.random.default_rng(seed), np.zeros((160, 160), bool))
        assert mask.any()
        assert (made.body[mask] > 0).mean() > 0.995
        drawn = phantoms.radiograph(np.random.default_rng(seed), [label], size=96)
        assert list(drawn.masks) == [label]


@pytest.mark.parametrize("label", LABELS)
def test_what_a_finding_changes_lies_in_its_mask(label: str):
    for seed in range(3):
        without = phantoms.radiograph(np.random.default_rng(seed), [], size=256)
        drawn = phantoms.radiograph(np.random.default_rng(seed), [label], size=256)
        energy = np.square(drawn.pixels.astype(float) - without.pixels)
        assert energy[drawn.masks[label]].sum() > 0.9 * energy.sum()
        assert energy.sum() > 0


def test_a_pneumothorax_has_neither_lung_nor_vessels_beyond_its_line():
    made = chest()
    before = made.exponent()
    mask = phantom_findings.pneumothorax(made, np.random.default_rng(3), np.zeros((160, 160), bool))
    beyond = ndimage.binary_erosion(mask, iterations=2)
    assert made.lung[beyond].max() == 0
    assert made.vessels[beyond].max() == 0
    assert (made.exponent() < before)[beyond].mean() > 0.95  # darker


def test_an_effusion_lies_lowest_and_climbs_towards_the_chest_wall():
    for seed in range(4):
        made = chest(seed=seed, size=256)
        mask = phantom_findings.effusion(made, np.random.default_rng(seed), np.zeros((256, 256), bool))
        columns = np.flatnonzero(mask.any(axis=0))
        top = mask.argmax(axis=0)
        outer, middle = (columns[3], columns[len(columns) // 2])
        if made.grid.x[0, columns.mean().astype(int)] > 0:
            outer = columns[-4]
        assert made.grid.y[top[outer], 0] < made.grid.y[top[middle], 0]
        assert made.grid.y[mask].mean() > made.habitus.dome - 6


def test_nodules_are_6_to_30_mm_across():
    for seed in range(6):
        made = chest(seed=seed, size=512)
        mask = phantom_findings.nodule(made, np.random.default_rng(seed), np.zeros((512, 512), bool))
        parts, count = ndimage.label(mask)
        for number in range(1, count + 1):
            across = 20 * np.sqrt((parts == number).sum() / np.pi) * made.grid.pixel_cm
            assert 5.0 <= across <= 31 * (1 if count == 1 else 2)


def test_about_a_quarter_show_each_finding_and_three_in_ten_show_none():
    rng = np.random.default_rng(0)
    drawn = [phantoms._findings(rng) for _ in range(4000)]
    counts = Counter(label for labels in drawn for label in labels)
    assert all(0.2 < counts[label] / 4000 < 0.3 for label in LABELS)
    assert 0.27 < sum(not labels for labels in drawn) / 4000 < 0.33


def test_an_unknown_finding_is_refused():
    with pytest.raises(errors.BadConfig, match="fracture"):
        phantoms.radiograph(np.random.default_rng(0), ["fracture"], size=64)


# Files


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return phantoms.generate(tmp_path_factory.mktemp("data") / "phantoms", **SMALL)


def test_the_same_seed_gives_the_same_bytes_however_many_workers(dataset: Path, tmp_path: Path):
    again = phantoms.generate(tmp_path / "again", **(SMALL | {"workers": 2}))
    other = phantoms.generate(tmp_path / "other", **SMALL, seed=1)
    assert contents(dataset.parent) == contents(again.parent)
    assert contents(dataset.parent) != contents(other.parent)


def test_the_manifest_agrees_with_its_masks(dataset: Path):
    for row in rows(dataset):
        union = np.zeros((96, 96), bool)
        for label in LABELS:
            assert (row[label] == "1") == (row[f"mask_{label}"] != "")
            if row[label] == "1":
                mask = np.asarray(Image.open(dataset.parent / row[f"mask_{label}"]))
                assert mask.shape == (96, 96)
                assert set(np.unique(mask)) <= {0, 255}
                union |= mask > 0
        assert (row["mask"] != "") == union.any()
        if row["mask"]:
            np.testing.assert_array_equal(np.asarray(Image.open(dataset.parent / row["mask"])) > 0, union)


def test_a_patients_images_share_a_person_but_not_a_study(dataset: Path):
    people: dict[str, set[tuple[str, str]]] = {}
    for row in rows(dataset):
        people.setdefault(row["patient_id"], set()).add((row["age"], row["sex"]))
    assert all(len(facts) == 1 for facts in people.values())
    studies = [pydicom.dcmread(dataset.parent / row["file"]).SOPInstanceUID for row in rows(dataset)]
    assert len(set(studies)) == len(studies)


@pytest.mark.parametrize("syntax", sorted(set(phantom_dicom.SYNTAXES)))
@pytest.mark.parametrize("monochrome1", [False, True])
def test_a_file_gives_back_its_pixels(tmp_path: Path, syntax: str, monochrome1: bool):
    pixels = phantoms.radiograph(np.random.default_rng(0), ["effusion"], size=128).pixels
    facts = {"patient": 7, "image": 2, "seed": 0, "sex": "F", "age": 61, "view": "AP", "days": 40, "kilovolts": 110}
    described = phantom_dicom.Header(**facts, monochrome1=monochrome1, syntax=syntax, window=(2000, 1500))
    phantom_dicom.save(tmp_path / "a.dcm", pixels, described)
    read = pydicom.dcmread(tmp_path / "a.dcm")
    np.testing.assert_array_equal(4095 - read.pixel_array if monochrome1 else read.pixel_array, pixels)
    assert read.file_meta.TransferSyntaxUID == syntax
    assert read.PhotometricInterpretation == ("MONOCHROME1" if monochrome1 else "MONOCHROME2")
    assert (read.BitsStored, read.HighBit, read.BitsAllocated) == (12, 11, 16)
    assert float(read.WindowCenter) == (2095 if monochrome1 else 2000)


def test_a_file_has_what_the_cr_standard_asks_for(dataset: Path):
    # Type 1 and 2 attributes of the mandatory modules of the CR IOD, PS3.3 table A.2-1.
    asked = [
        "PatientName",
        "PatientID",
        "PatientBirthDate",
        "PatientSex",
        "StudyInstanceUID",
        "StudyDate",
        "StudyTime",
        "ReferringPhysicianName",
        "StudyID",
        "AccessionNumber",
        "Modality",
        "SeriesInstanceUID",
        "SeriesNumber",
        "BodyPartExamined",
        "ViewPosition",
        "Manufacturer",
        "InstanceNumber",
        "SamplesPerPixel",
        "PhotometricInterpretation",
        "Rows",
        "Columns",
        "BitsAllocated",
        "BitsStored",
        "HighBit",
        "PixelRepresentation",
        "PixelData",
        "SOPClassUID",
        "SOPInstanceUID",
    ]
    for row in rows(dataset):
        read = pydicom.dcmread(dataset.parent / row["file"])
        assert [name for name in asked if name not in read] == []
        assert read.PatientID == row["patient_id"]
        assert read.ViewPosition == row["view"]
        assert read.StudyInstanceUID.is_valid
        assert (read.Modality, read.BodyPartExamined) == ("CR", "CHEST")


def test_the_header_does_not_know_the_findings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    folders = {}
    for name, findings in (("none", frozenset[str]()), ("all", frozenset(LABELS))):
        monkeypatch.setattr(phantoms, "_findings", lambda rng, f=findings: (rng.random(3), f)[1])
        folders[name] = phantoms.generate(tmp_path / name, **SMALL).parent
    files = sorted(path.name for path in (folders["none"] / "images").iterdir())
    assert files == sorted(path.name for path in (folders["all"] / "images").iterdir())
    for file in files:
        told = header(folders["all"] / "images" / file)
        assert told == header(folders["none"] / "images" / file)
        text = " ".join([file, *told.values()]).lower()
        assert not [word for word in (*LABELS, "mask", "normal") if word in text]


def test_a_finished_data_set_is_used_again_and_another_is_refused(dataset: Path, tmp_path: Path):
    before = {path: path.stat().st_mtime_ns for path in dataset.parent.rglob("*")}
    assert phantoms.generate(dataset.parent, **SMALL) == dataset
    assert before == {path: path.stat().st_mtime_ns for path in dataset.parent.rglob("*")}
    with pytest.raises(errors.BadManifest, match="remove it or choose another"):
        phantoms.generate(dataset.parent, **SMALL, seed=5)
    (tmp_path / "notes.txt").write_text("not yours")
    with pytest.raises(errors.BadManifest, match="something other"):
        phantoms.generate(tmp_path, **SMALL)
    assert (tmp_path / "notes.txt").read_text() == "not yours"


def test_a_data_set_with_a_lost_file_is_refused(tmp_path: Path):
    manifest = phantoms.generate(tmp_path / "phantoms", **SMALL)
    (manifest.parent / rows(manifest)[0]["file"]).unlink()
    with pytest.raises(errors.BadManifest, match="lost 1 of its files"):
        phantoms.generate(manifest.parent, **SMALL)


def test_an_interrupted_generation_leaves_nothing(tmp_path: Path):
    def stop(done: int, total: int) -> None:
        assert total == 4
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        phantoms.generate(tmp_path / "phantoms", **SMALL, progress=stop)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("wrong", [{"patients": 0}, {"size": 10}, {"images_per_patient": (3, 1)}, {"workers": 0}])
def test_impossible_parameters_are_refused(tmp_path: Path, wrong: dict[str, object]):
    with pytest.raises(errors.BadConfig):
        phantoms.generate(tmp_path / "phantoms", **(SMALL | wrong))


def test_generating_needs_no_tensorflow():
    program = "import sys, training.datasets.phantoms; assert not {'tensorflow', 'keras'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", program], check=True, cwd=Path(__file__).parents[2])


@pytest.mark.slow
def test_neither_header_nor_coarse_pixels_give_the_findings_away(tmp_path: Path):
    manifest = phantoms.generate(tmp_path / "phantoms", patients=150, size=96)
    table = rows(manifest)
    truth = np.array([[int(row[label]) for label in LABELS] for row in table])
    held_out = np.array([int(row["patient_id"][-4:]) > 100 for row in table])
    files = [pydicom.dcmread(manifest.parent / row["file"]) for row in table]
    assert mean_auroc(np.array([header_facts(file) for file in files]), truth, held_out) < 0.62
    assert mean_auroc(np.array([coarse_pixels(file) for file in files]), truth, held_out) < 0.82


def header_facts(file: pydicom.Dataset) -> list[float]:
    syntax = [file.file_meta.TransferSyntaxUID == each for each in phantom_dicom.SYNTAXES[1:]]
    window = [float(file.get("WindowCenter", 0)), float(file.get("WindowWidth", 0))]
    words = [file.PhotometricInterpretation == "MONOCHROME1", file.ViewPosition == "AP", file.PatientSex == "F"]
    numbers = [int(file.PatientAge[:3]), float(file.KVP), int(file.StudyDate) - 20200000, int(file.StudyID)]
    return [float(fact) for fact in (*syntax, *window, *words, *numbers)]


def coarse_pixels(file: pydicom.Dataset) -> np.ndarray:
    stored = file.pixel_array.astype(np.float32)
    shown = 4095 - stored if file.PhotometricInterpretation == "MONOCHROME1" else stored
    return shown.reshape(32, 3, 32, 3).mean(axis=(1, 3)).ravel()


def mean_auroc(features: np.ndarray, truth: np.ndarray, held_out: np.ndarray) -> float:
    scores = []
    for label in truth.T:
        model = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=1000))
        model.fit(features[~held_out], label[~held_out])
        scores.append(roc_auc_score(label[held_out], model.decision_function(features[held_out])))
    return float(np.mean(scores))
