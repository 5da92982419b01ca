"""Training a tiny network on pictures whose label a few pixels give away: the whole road, stopped and resumed."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from tests.training import blobs
from training.config import RunConfig, Stage
from training.runs import Run
from zoo import errors
from zoo.cards import InputSpec

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """80 pictures of 40 patients: a blob left or right, bright or not, one answer in ten unknown."""
    folder = tmp_path_factory.mktemp("finetune")
    blobs.write(folder)
    return folder


def config(home: Path, *overrides: str) -> RunConfig:
    return RunConfig.load(home / "tiny.toml", list(overrides))


def train(home: Path, runs: str, *overrides: str, console: Console | None = None) -> Run:
    from training.finetune import train as fine_tune

    return fine_tune(config(home, *overrides), runs=home / runs, console=console)


def screen() -> Console:
    return Console(file=io.StringIO(), width=200)


def said(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


@pytest.fixture(scope="module")
def trained(home: Path) -> tuple[Run, str]:
    console = screen()
    return train(home, "uninterrupted", console=console), said(console)


def logits(run: Run, split: str = "val") -> np.ndarray:
    found: np.ndarray = run.model().predict(run.pixels(split).astype(np.float32), verbose=0)
    return found


def same(one: Run, other: Run) -> bool:
    """Whether the scores and every last bit of the weights are equal."""
    weights = [run.model().get_weights() for run in (one, other)]
    equal = all((a == b).all() for a, b in zip(*weights, strict=True))
    drop = {"seconds"}
    results = [{k: v for k, v in run.result.items() if k not in drop} for run in (one, other)]
    return equal and results[0] == results[1]


def test_a_run_leaves_all_it_should(trained: tuple[Run, str]) -> None:
    run, _ = trained
    assert run.is_finished
    assert {"config.json", "environment.json", "split.csv", "model.keras", "history.csv", "result.json"} <= {
        path.name for path in run.path.iterdir()
    }
    assert not (run.path / "state").exists()
    assert list((run.path / "tensorboard").glob("events*"))
    with (run.path / "history.csv").open() as stream:
        history = list(csv.DictReader(stream))
    assert [row["epoch"] for row in history] == ["1", "2", "3"]
    assert set(run.result) == {"probe_score", "score", "score_name", "kept", "seconds"}
    assert {"code_revision", "packages", "data", "fingerprint", "grouped_by"} <= set(run.environment)
    assert (run.environment["data"], run.environment["grouped_by"]) == ("data", "patient_id")


def test_the_model_kept_is_the_one_with_the_score_told(trained: tuple[Run, str]) -> None:
    from training.losses import score

    run, _ = trained
    assert score(logits(run), run.split("val").labels, exclusive=False) == pytest.approx(run.result["score"])
    assert run.result["score"] >= run.result["probe_score"]
    assert run.model().output_shape == (None, 2)


def test_progress_says_the_floor_each_epoch_and_the_end(trained: tuple[Run, str]) -> None:
    run, text = trained
    assert "80 images of tiny: train 56, val 8, test 16, kept apart by patient_id." in text
    assert f"Stage 1, the probe: mean AUROC {run.result['probe_score']:.4f} on validation" in text
    assert "Stage 2, epoch 3: loss" in text
    assert "Done: mean AUROC" in text


def test_no_patients_identifier_is_in_the_run_or_on_the_screen(trained: tuple[Run, str]) -> None:
    run, text = trained
    assert "person-" not in text
    assert "person-" not in (run.path / "split.csv").read_text()


def test_the_same_file_twice_gives_the_same_bits(home: Path, trained: tuple[Run, str]) -> None:
    assert same(train(home, "again"), trained[0])


def test_another_seed_gives_another_model_on_the_same_patients(home: Path, trained: tuple[Run, str]) -> None:
    other = train(home, "seeded", "seed=1", "stage.2.epochs=1")
    assert other.images().splits == trained[0].images().splits
    assert not np.allclose(logits(other), logits(trained[0]))


class Interrupting(Console):
    """Ctrl-C, as soon as the first epoch is told."""

    def print(self, *objects: object, **how: object) -> None:  # type: ignore[override]
        super().print(*objects, **how)  # type: ignore[arg-type]
        if "epoch 1:" in str(objects):
            raise KeyboardInterrupt


def test_ctrl_c_leaves_a_run_that_goes_on_and_says_how(home: Path, trained: tuple[Run, str]) -> None:
    console = Interrupting(file=io.StringIO(), width=200)
    with pytest.raises(KeyboardInterrupt):
        train(home, "interrupted", console=console)
    assert "Start the same command again" in said(console)
    assert same(train(home, "interrupted"), trained[0])


def test_a_finished_run_is_used_again(home: Path, trained: tuple[Run, str]) -> None:
    run, _ = trained
    before = (run.path / "model.keras").stat().st_mtime_ns
    console = screen()
    train(home, "uninterrupted", console=console)
    assert "is finished" in said(console)
    assert "Nothing to do" in said(console)
    assert (run.path / "model.keras").stat().st_mtime_ns == before


def test_a_run_of_another_configuration_is_refused_with_what_differs(home: Path, trained: tuple[Run, str]) -> None:
    with pytest.raises(errors.BadRun) as refusal:
        train(home, "uninterrupted", "stage.2.epochs=5", "dropout=0.1")
    assert "stage.2.epochs is 3 there and 5 here" in str(refusal.value)
    assert "dropout is 0.2 there and 0.1 here" in str(refusal.value)
    assert "batch_size" not in str(refusal.value)


def test_a_run_of_other_images_is_refused(home: Path, trained: tuple[Run, str]) -> None:
    manifest = home / "data" / "manifest.csv"
    text = manifest.read_text()
    try:
        manifest.write_text("\n".join(text.splitlines()[:-1]) + "\n")
        with pytest.raises(errors.BadRun, match="images or labels changed"):
            train(home, "uninterrupted")
    finally:
        manifest.write_text(text)


def test_a_folder_that_is_no_run_is_left_alone(home: Path) -> None:
    (home / "theirs" / "tiny").mkdir(parents=True)
    (home / "theirs" / "tiny" / "work.txt").touch()
    with pytest.raises(errors.BadRun, match="holds something that is no run"):
        train(home, "theirs")
    assert [path.name for path in (home / "theirs" / "tiny").iterdir()] == ["work.txt"]


def test_the_probe_is_kept_where_fine_tuning_is_worse(home: Path) -> None:
    from training.losses import score

    run = train(home, "worse", "stage.2.epochs=1", "stage.2.peak_learning_rate=1e-9")
    assert run.result["kept"] == "probe"
    assert run.result["score"] == run.result["probe_score"] > 0.7
    assert score(logits(run), run.split("val").labels, exclusive=False) == pytest.approx(run.result["score"])


def test_weights_of_a_run_can_be_fine_tuned_further_and_the_probe_head_is_where_it_starts(
    home: Path, trained: tuple[Run, str]
) -> None:
    source = trained[0].path / "model.keras"
    run = train(home, "further", f"weights={source}", "stage.2.epochs=1", "stage.2.peak_learning_rate=1e-9")
    history = list(csv.DictReader((run.path / "history.csv").open()))
    assert float(history[0]["val_score"]) == pytest.approx(run.result["probe_score"])


def test_fine_tuning_can_begin_with_the_calmer_head(home: Path, trained: tuple[Run, str]) -> None:
    source, console = trained[0].path, screen()
    changes = [f"weights={source}", "stage.1.hand_over=loss", "stage.1.l2=[1.0, 1e-6]", "stage.2.epochs=1"]
    run = train(home, "calm", *changes, "stage.2.peak_learning_rate=1e-9", console=console)
    assert "Weights: " in said(console)
    assert f"from the run {source.name}, trained for tiny; the head is new." in said(console)
    assert "Fine-tuning begins with the head of the least validation loss (l2 " in said(console)
    assert run.result["score"] >= run.result["probe_score"]


def test_a_loss_that_is_lost_ends_the_stage_with_the_best_weights_or_halves_the_rate(home: Path) -> None:
    console = screen()
    lost = [
        "stage.2.peak_learning_rate=1e30",
        "stage.2.clip_norm=0",
        "stage.2.optimizer=sgd",
        "stage.2.warmup_epochs=0",
    ]
    run = train(home, "lost", *lost, console=console)
    assert "the loss is no number any more" in said(console)
    assert "Set a lower peak_learning_rate than 1e+30" in said(console)
    assert run.result["kept"] == "probe"
    console = screen()
    train(home, "halved", *lost, "stage.2.schedule=halve", console=console)
    assert "undone; going on at half the rate" in said(console)
    rates = [float(row["learning_rate"]) for row in csv.DictReader((home / "halved" / "tiny" / "history.csv").open())]
    assert rates == pytest.approx([1e30, 5e29, 2.5e29])


def test_a_damaged_snapshot_is_refused_by_name(home: Path) -> None:
    console = Interrupting(file=io.StringIO())
    with pytest.raises(KeyboardInterrupt):
        train(home, "damaged", console=console)
    state = home / "damaged" / "tiny" / "state" / "snapshot.npz"
    state.write_bytes(state.read_bytes()[:1000])
    with pytest.raises(errors.BadRun, match=r"snapshot\.npz is damaged"):
        train(home, "damaged")


@pytest.fixture(scope="module")
def small_mobilenet():  # type: ignore[no-untyped-def]
    from zoo.models import classifier

    spec = InputSpec(height=32, width=32, channels=1)
    return lambda: classifier.build(backbone="mobilenetv2-0.35", labels=2, spec=spec)


def test_pretrained_batch_normalisation_stays_in_inference_mode(small_mobilenet) -> None:  # type: ignore[no-untyped-def]
    import keras

    from training.depth import unfreeze

    model = small_mobilenet()
    unfreeze(model, Stage(epochs=1, unfreeze_from="all", peak_learning_rate=1e-3), from_scratch=False)
    norms = [layer for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization)]
    before = [np.array(norm.moving_mean) for norm in norms]
    model(np.random.default_rng(0).uniform(0, 255, (4, 32, 32, 1)).astype(np.float32), training=True)
    assert all((np.array(norm.moving_mean) == mean).all() for norm, mean in zip(norms, before, strict=True))
    assert all(layer.trainable for layer in model.layers if layer not in norms)


def test_batch_normalisation_from_scratch_learns_and_settles_quickly(small_mobilenet) -> None:  # type: ignore[no-untyped-def]
    import keras

    from training.depth import unfreeze

    model = small_mobilenet()
    unfreeze(model, Stage(epochs=1, unfreeze_from="all", peak_learning_rate=1e-3), from_scratch=True)
    norms = [layer for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization)]
    assert all(norm.trainable and norm.momentum <= 0.9 for norm in norms)


def test_unfreezing_begins_at_a_layer_or_a_share_and_a_wrong_name_is_told_what_is_near(small_mobilenet) -> None:  # type: ignore[no-untyped-def]
    from training.depth import unfreeze
    from zoo.models import classifier

    model = small_mobilenet()
    layers = classifier.backbone_layers(model)
    names = [layer.name for layer in layers]
    unfreeze(model, Stage(epochs=1, unfreeze_from="block_13_expand", peak_learning_rate=1), from_scratch=True)
    first = names.index("block_13_expand")
    assert [layer.trainable for layer in layers] == [False] * first + [True] * (len(layers) - first)
    unfreeze(model, Stage(epochs=1, unfreeze_from=0.25, peak_learning_rate=1), from_scratch=True)
    assert sum(layer.trainable for layer in layers) == pytest.approx(0.25 * len(layers), abs=1)
    with pytest.raises(errors.BadConfig, match=r'"block_13_expnd" is no layer.*block_13_expand'):
        unfreeze(model, Stage(epochs=1, unfreeze_from="block_13_expnd", peak_learning_rate=1), from_scratch=True)
