"""The run folder: what is written reads back, and what is missing is said."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from training import runs
from training.config import RunConfig
from training.manifest import Manifest
from training.runs import Run
from zoo import errors

VALUES = {
    "name": "tiny",
    "task": "breast-ultrasound",
    "manifest": "/data/manifest.csv",
    "backbone": "small-cnn",
    "image_size": 32,
}


@pytest.fixture
def run(tmp_path: Path) -> Run:
    run = Run(tmp_path / "tiny")
    run.write_json("config.json", RunConfig.parse(VALUES, source="test").model_dump(mode="json"))
    run.write_json("environment.json", {"grouped_by": "patient_id", "fingerprint": "f"})
    return run


def manifest() -> Manifest:
    nan = np.nan
    return Manifest(
        files=[Path("/data/a.png"), Path("/data/b,c.png"), Path("/data/d.png")],
        labels=np.array([[1, 0, 0], [0, 1, 0], [nan, nan, nan]], np.float32),
        groups=["patient-2", "image-4", "patient-2"],
        masks={"benign": [None] * 3, "malignant": [None, Path("/data/m.png"), None], "normal": [None] * 3},
        splits=["train", "test", "train"],
        frame=pd.DataFrame(
            {"file": ["a.png", "b,c.png", "d.png"], "patient_id": ["SECRET"] * 3, "age": ["60", "", "40"]},
            index=[2, 4, 5],
        ),
        grouped_by="patient_id",
    )


def test_the_configuration_and_the_task_read_back(run: Run) -> None:
    assert run.config == RunConfig.parse(VALUES, source="test")
    assert run.task.labels == ("benign", "malignant", "normal")
    assert run.spec.height == 32


def test_the_split_reads_back_as_it_was_written(run: Run) -> None:
    run.write_split(manifest())
    read = run.images()
    assert read.files == manifest().files
    np.testing.assert_array_equal(read.labels, manifest().labels)
    assert (read.groups, read.splits, read.masks) == (manifest().groups, manifest().splits, manifest().masks)
    assert (read.row(1), read.grouped_by) == (4, "patient_id")
    assert list(read.frame["age"]) == ["60", "", "40"]
    train = run.split("train")
    assert [path.name for path in train.files] == ["a.png", "d.png"]
    assert len(run.split("val")) == 0


def test_no_patients_identifier_is_in_the_folder(run: Run) -> None:
    run.write_split(manifest())
    for path in run.path.iterdir():
        assert "SECRET" not in path.read_text()


def test_a_folder_that_is_no_run_and_a_run_that_is_not_finished_are_told_apart(run: Run, tmp_path: Path) -> None:
    with pytest.raises(errors.BadRun, match=r"is no run folder: it has no config\.json"):
        _ = Run(tmp_path / "nowhere").config
    assert not run.is_finished
    for ask in (lambda: run.result, run.model, run.images):
        with pytest.raises(errors.BadRun, match=r"not finished\. Start the training again"):
            ask()


def test_a_damaged_file_is_named(run: Run) -> None:
    (run.path / "environment.json").write_text('{"a": ')
    with pytest.raises(errors.BadRun, match=r"environment\.json is damaged"):
        _ = run.environment


def test_json_is_written_whole_or_not_at_all(run: Run) -> None:
    with pytest.raises(TypeError):
        run.write_json("environment.json", {"a": object()})
    assert run.environment["fingerprint"] == "f"


def test_the_code_revision_is_the_commit_with_a_plus_where_files_changed(tmp_path: Path) -> None:
    def git(*arguments: str) -> str:
        identity = ("-c", "user.name=t", "-c", "user.email=t@t")
        done = subprocess.run(["git", *identity, *arguments], cwd=tmp_path, capture_output=True, text=True, check=True)
        return done.stdout.strip()

    assert runs.code_revision(tmp_path) == "unknown"
    git("init", "-q")
    (tmp_path / "a.txt").write_text("1")
    git("add", ".")
    git("commit", "-qm", "one")
    assert runs.code_revision(tmp_path) == git("rev-parse", "HEAD")
    (tmp_path / "a.txt").write_text("2")
    assert runs.code_revision(tmp_path) == git("rev-parse", "HEAD") + "+"


def test_packages_names_the_versions_that_are_there() -> None:
    assert runs.packages()["numpy"] == np.__version__
