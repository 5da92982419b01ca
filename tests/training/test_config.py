"""The training file: what it may say, and what is said when it says something else."""

from __future__ import annotations

from pathlib import Path

import pytest

from training.config import RunConfig
from zoo import errors
from zoo.tasks import Kind

TEXT = """
name = "tiny"
task = "breast-ultrasound"
manifest = "data/manifest.csv"
backbone = "small-cnn"
image_size = 32

[[stage]]
epochs = 50

[[stage]]
epochs = 2
unfreeze_from = "all"
peak_learning_rate = 1e-3
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.toml"
    path.write_text(TEXT)
    return path


def test_a_file_gives_values_and_defaults(file: Path) -> None:
    config = RunConfig.load(file)
    assert config.name == "tiny"
    assert config.batch_size == 32
    assert [stage.is_probe for stage in config.stage] == [True, False]
    assert config.input_spec.model_dump() == {
        "height": 32,
        "width": 32,
        "channels": 1,
        "modalities": ("US",),
        "body_parts": (),
        "views": (),
        "aspect_ratio": (0.4, 2.5),
    }


def test_paths_are_relative_to_the_file_and_those_of_set_to_the_working_directory(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    assert RunConfig.load(file).manifest == tmp_path / "data" / "manifest.csv"
    assert RunConfig.load(file, ["manifest=m.csv"]).manifest == elsewhere / "m.csv"
    assert RunConfig.load(file, ["weights=w.keras"]).weights == str(elsewhere / "w.keras")


def test_environment_variables_are_filled_in(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KERASCOPE_DATA", "/data")
    assert RunConfig.load(file, ["manifest=${KERASCOPE_DATA}/m.csv"]).manifest == Path("/data/m.csv")
    monkeypatch.delenv("KERASCOPE_DATA")
    with pytest.raises(errors.BadConfig, match=r"KERASCOPE_DATA, which is not set.*--set manifest=PATH"):
        RunConfig.load(file, ["manifest=${KERASCOPE_DATA}/m.csv"])


def test_set_goes_before_the_file_and_counts_stages_from_one(file: Path) -> None:
    config = RunConfig.load(file, ["stage.2.epochs=7", "weights=none", "split.folds=5", "split.fold=4", "seed=3"])
    assert [stage.epochs for stage in config.stage] == [50, 7]
    assert (config.weights, config.split.folds, config.split.fold, config.seed) == ("none", 5, 4, 3)


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("stage.2.leraning_rate=1", "unknown stage.2.leraning_rate; did you mean peak_learning_rate.*warmup_epochs"),
        ("bach_size=4", "unknown bach_size; did you mean batch_size.*image_size"),
        ("augment.rotate=4", "unknown augment.rotate; did you mean rotation"),
        ("stage.0.epochs=4", "counted from 1 to 2, got '0'"),
        ("stage.3.epochs=4", "counted from 1 to 2, got '3'"),
        ("stage.2.epochs.x=4", "stage.2.epochs has no keys"),
        ("batch_size", "expected key=value"),
        ("batch_size=0", "batch_size: .*greater than or equal to 1.*got 0"),
        ("name=../up", "name: "),
        ("task=brest", "No task is called 'brest'. There are: .*breast-ultrasound"),
        ("split.fold=1", "fold 1 of 0"),
        ("stage.1.patience=9", "stage.1: .*the probe and takes no patience"),
        ("stage.2.l2=[0.1]", "stage.2: l2 belongs to the probe"),
        ("stage.2.unfreeze_from=1.5", r"stage.2: .*lies in \(0, 1\]"),
        ("stage.1.unfreeze_from=all", "the first stage is the probe"),
    ],
)
def test_a_mistake_is_named_with_what_is_known(file: Path, override: str, said: str) -> None:
    with pytest.raises(errors.BadConfig, match=f"(?s){said}"):
        RunConfig.load(file, [override])


def test_a_later_stage_needs_its_learning_rate(file: Path) -> None:
    file.write_text(TEXT.replace("peak_learning_rate = 1e-3", ""))
    with pytest.raises(errors.BadConfig, match="stage 2 has no peak_learning_rate"):
        RunConfig.load(file)


@pytest.mark.parametrize("text", [None, "name = ", "\xff"])
def test_what_is_no_training_file_is_refused_by_name(tmp_path: Path, text: str | None) -> None:
    path = tmp_path / "broken.toml"
    if text is not None:
        path.write_bytes(text.encode("latin-1"))
    with pytest.raises(errors.BadConfig, match=r"broken\.toml"):
        RunConfig.load(path)


def test_a_missing_key_is_named(tmp_path: Path) -> None:
    path = tmp_path / "short.toml"
    path.write_text('name = "short"')
    with pytest.raises(errors.BadConfig, match="task is missing; manifest is missing"):
        RunConfig.load(path)


def test_a_task_of_ones_own_is_defined_in_the_file(file: Path) -> None:
    file.write_text(
        TEXT.replace('"breast-ultrasound"', '"skin"')
        + '[task_definition]\nquestion = "Is it a melanoma?"\nlabels = ["melanoma"]\nkind = "binary"\nchannels = 3\n'
    )
    config = RunConfig.load(file)
    task = config.resolve_task()
    assert (task.name, task.labels, task.kind, config.input_spec.channels) == ("skin", ("melanoma",), Kind.BINARY, 3)
    with pytest.raises(errors.BadConfig, match="a binary task has one label"):
        RunConfig.load(file, ['task_definition.labels=["a", "b"]'])


def test_what_is_written_reads_back_the_same(file: Path) -> None:
    config = RunConfig.load(file)
    assert RunConfig.parse(config.model_dump(mode="json"), source="test") == config


@pytest.mark.parametrize(
    "path", sorted((Path(__file__).parents[2] / "training" / "configs").glob("*.toml")), ids=lambda path: path.stem
)
def test_every_training_file_of_ours_is_valid_and_opens_with_its_facts(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KERASCOPE_DATA", "/data")
    assert RunConfig.load(path).name == path.stem.replace("_", "-")
    header = path.read_text().split("\n\n")[0]
    assert all(line.startswith("#") for line in header.splitlines())
    assert f"kerascope train training/configs/{path.name}" in header


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("loss=ordinal", "loss = ordinal is for grades; the task breast-ultrasound is multiclass"),
        ("uncertain=ones", "the task breast-ultrasound has no uncertain answers"),
        ("stage.2.optimizer=adamx", "stage.2.optimizer"),
        ("stage.2.rate_decay=0", "stage.2.rate_decay"),
        ("stage.1.ema_epochs=1", "is the probe and takes no ema_epochs"),
        ("distill.temprature=2", "did you mean temperature"),
    ],
)
def test_what_does_not_fit_together_is_refused(file: Path, override: str, said: str) -> None:
    with pytest.raises(errors.BadConfig, match=said):
        RunConfig.load(file, [override])


def test_label_smoothing_does_not_go_with_losses_that_have_no_target_to_smooth(file: Path) -> None:
    for loss in ("margin", "negative-log-likelihood"):
        with pytest.raises(errors.BadConfig, match=f"loss = {loss} takes no label_smoothing"):
            RunConfig.load(file, [f"loss={loss}", "label_smoothing=0.1"])


def test_a_model_of_the_zoo_is_no_path(file: Path) -> None:
    config = RunConfig.load(file, ["weights=bundle:chest@2", "distill.teacher=bundle:chest"])
    assert config.weights == "bundle:chest@2"
    assert config.distill is not None
    assert [str(teacher) for teacher in config.distill.teacher] == ["bundle:chest"]
    several = RunConfig.load(file, ['distill.teacher=["runs/big", "bundle:chest"]'])
    assert several.distill is not None
    assert several.distill.teacher == (Path.cwd() / "runs" / "big", Path("bundle:chest"))


def test_a_training_file_of_the_packages_is_found_by_its_name_where_none_lies(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    found = RunConfig.load(Path("training/configs/phantoms.toml"))
    assert found.name == "phantoms"
    assert Path(found.manifest) == tmp_path / "build" / "demo" / "data" / "manifest.csv"


def test_a_training_file_in_the_working_folder_comes_first(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    mine = tmp_path / "training" / "configs" / "phantoms.toml"
    mine.parent.mkdir(parents=True)
    mine.write_text("name = 3")
    with pytest.raises(errors.BadConfig, match="name: "):
        RunConfig.load(Path("training/configs/phantoms.toml"))


def test_a_training_file_that_is_not_there_is_told_with_those_that_are(tmp_path):
    with pytest.raises(errors.BadConfig, match=r"one of those that come along: .*training/configs/phantoms\.toml"):
        RunConfig.load(tmp_path / "nowhere.toml")
