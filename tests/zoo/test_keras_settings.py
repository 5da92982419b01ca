"""Keras' global settings: our commands compute the same whatever they are, and a program of others is told."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from zoo import errors, keras_settings
from zoo.cards import InputSpec

ROOT = Path(__file__).parents[2]
DEVIANT = {
    "image_data_format": "channels_first",
    "floatx": "float16",
    "epsilon": 0.01,
    "backend": "torch",
    "nnx_enabled": True,
}
DEVIANT_VARIABLES = {
    "KERAS_BACKEND": "jax",
    "KERAS_MAX_EPOCHS": "1",
    "KERAS_MAX_STEPS_PER_EPOCH": "1",
    "TF_USE_LEGACY_KERAS": "1",
}


def home(folder: Path, said: object) -> dict[str, str]:
    """An environment whose KERAS_HOME holds this `keras.json`."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "keras.json").write_text(said if isinstance(said, str) else json.dumps(said))
    return {"KERAS_HOME": str(folder)}


def python(code: str, *arguments: str, cwd: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Runs code as a program of its own, with these variables."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("KERAS_")}
    environment = {**kept, "PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "3", **variables}
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=300, check=False)


@pytest.mark.parametrize(
    ("said", "fault"),
    [
        ("[1]", "no JSON object"),
        ({"floatx": "bfloat16"}, "floatx to 'bfloat16'"),
        ({"image_data_format": "rows"}, "image_data_format to 'rows'"),
        ({"epsilon": 1}, "epsilon to 1"),
    ],
)
def test_a_settings_file_that_keras_would_end_on_is_named_with_its_fault(tmp_path, said, fault):
    with pytest.raises(errors.BadConfig, match=r"keras\.json") as caught:
        keras_settings.deviations(home(tmp_path, said))
    assert fault in str(caught.value)


@pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo, lambda path: path.symlink_to(os.devnull)])
def test_a_settings_file_that_cannot_be_read_is_named(tmp_path, make):
    make(tmp_path / "keras.json")
    with pytest.raises(errors.BadConfig, match="not a file"):
        keras_settings.deviations({"KERAS_HOME": str(tmp_path)})


def test_a_settings_file_that_nests_too_deeply_is_named(tmp_path):
    with pytest.raises(errors.BadConfig, match="too deeply"):
        keras_settings.deviations(home(tmp_path, "[" * 100_000))


def test_the_file_that_keras_writes_itself_changes_nothing(tmp_path):
    usual = {"floatx": "float32", "epsilon": 1e-07, "backend": "tensorflow", "image_data_format": "channels_last"}
    assert keras_settings.deviations(home(tmp_path, usual)) == []
    assert keras_settings.deviations({"KERAS_HOME": str(tmp_path / "nowhere"), "TF_USE_LEGACY_KERAS": "0"}) == []


def test_what_is_unusual_is_listed_with_its_source(tmp_path):
    environment = home(tmp_path, {"image_data_format": "channels_first", "backend": "torch"})
    assert keras_settings.deviations(environment) == [
        ("image_data_format", "channels_first", "channels_last", "keras.json"),
        ("backend", "torch", "tensorflow", "keras.json"),
    ]
    counts = [each.source for each in keras_settings.deviations(environment | {"KERAS_BACKEND": "jax"})]
    assert counts == ["keras.json", "KERAS_BACKEND"], "the variable counts before the file"


def test_a_file_that_is_not_json_is_told_though_keras_passes_over_it(tmp_path):
    (found,) = keras_settings.deviations(home(tmp_path, "{nonsense"))
    assert (found.setting, found.found) == ("settings file", "not JSON")


TRAIN = """
import sys
import kerascope
def run(*words): kerascope.app(list(words), standalone_mode=False)
config, manifest, runs, registry = sys.argv[1:]
sets = [f"manifest={manifest}", "image_size=32", "stage.1.epochs=20", "stage.2.epochs=2"]
run("train", config, "--runs", runs, *(word for each in sets for word in ("--set", each)))
run("evaluate", f"{runs}/phantoms")
run("export", f"{runs}/phantoms", "--registry", registry)

import numpy as np
from serving.explainer import Explainer
from zoo.bundles import Registry
from zoo.results import Method
from pathlib import Path
explainer = Explainer()
bundle = Registry(Path(registry)).bundle("phantoms")
pixels = np.random.default_rng(0).integers(0, 256, (32, 32, 1), np.uint8)
map = explainer.explain(bundle, pixels, method=Method.GRAD_CAM, label=0, timeout_s=120)
explainer.stop()
print("WEIGHTS", bundle.card.weights_sha256, "MAP", map.tobytes().hex())
"""


@pytest.fixture(scope="module")
def manifest(tmp_path_factory) -> Path:
    from training.datasets import phantoms

    folder = tmp_path_factory.mktemp("phantoms")
    return phantoms.generate(folder, patients=24, size=64, seed=0)


def trained(folder: Path, manifest: Path, **variables: str) -> tuple[str, str]:
    """Training, evaluation, export and explanation: the weights and the map they came to, and what was logged."""
    config = ROOT / "training" / "configs" / "phantoms.toml"
    done = python(TRAIN, str(config), str(manifest), "runs", "registry", cwd=folder, **variables)
    assert done.returncode == 0, done.stdout + done.stderr
    return next(line for line in done.stdout.splitlines() if line.startswith("WEIGHTS")), done.stderr


@pytest.mark.slow
def test_our_commands_compute_the_same_whatever_the_settings(manifest, tmp_path):
    for folder in ("usual", "deviant"):
        (tmp_path / folder).mkdir()
    usual, quiet = trained(tmp_path / "usual", manifest, KERAS_HOME=str(tmp_path / "nowhere"))
    deviant, logged = trained(tmp_path / "deviant", manifest, **home(tmp_path / "keras", DEVIANT), **DEVIANT_VARIABLES)
    assert deviant == usual
    assert "Keras'" not in quiet
    for setting in DEVIANT.keys() - {"backend"}:
        assert f"Keras' {setting} is {DEVIANT[setting]} (keras.json)" in logged
    for variable in DEVIANT_VARIABLES:
        assert f"({variable})" in logged


def test_a_command_ends_in_one_line_where_keras_could_not_read_its_file(tmp_path):
    code = "import kerascope; kerascope.main()"
    done = python(code, "gateway", "--insecure", cwd=tmp_path, **home(tmp_path, {"floatx": "bfloat16"}))
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith("kerascope: Keras' settings file")


BUILD = """
from zoo import errors
from zoo.cards import InputSpec
from zoo.models import classifier
def build():
    return classifier.build(backbone="small-cnn", labels=2, spec=InputSpec(height=32, width=32, channels=1))
try:
    build()
except errors.BadConfig as error:
    print(error)
import keras
keras.config.set_image_data_format("channels_last")
print(build().output_shape, keras.config.epsilon())
"""


@pytest.mark.slow
def test_a_program_that_uses_the_library_is_refused_and_told_where_the_setting_comes_from(tmp_path):
    done = python(BUILD, cwd=tmp_path, **home(tmp_path, {"image_data_format": "channels_first"}))
    assert done.returncode == 0, done.stderr
    refused, built = done.stdout.splitlines()
    assert "image_data_format is channels_first (keras.json)" in refused
    assert str(tmp_path) in refused
    assert built == "(None, 2) 1e-07"


@pytest.fixture
def keras_settings_put_back() -> Iterator[None]:
    import keras

    yield
    keras_settings.pin()
    assert keras.config.floatx() == "float32"


@pytest.mark.slow
@pytest.mark.usefixtures("keras_settings_put_back")
@pytest.mark.parametrize(
    ("name", "value"),
    [("epsilon", 0.01), ("floatx", "float16"), ("dtype_policy", "mixed_float16"), ("max_epochs", 1)],
)
def test_a_setting_that_the_program_changed_is_refused_wherever_a_network_is_used(name, value, registry):
    import keras
    import numpy as np

    from zoo.bundles import Registry
    from zoo.explain import methods
    from zoo.models import classifier
    from zoo.signatures import Served

    bundle = Registry(registry).bundle("tiny-chest")
    model = classifier.load(bundle.keras_path)
    getattr(keras.config, f"set_{name}")(value)
    pixels = np.zeros((64, 64, 1), np.uint8)
    for use in (
        lambda: classifier.load(bundle.keras_path),
        lambda: classifier.build(backbone="small-cnn", labels=2, spec=InputSpec(height=32, width=32, channels=1)),
        lambda: Served(model, bundle.card),
        lambda: methods.explain(model, pixels, method="grad-cam", label=0),
    ):
        with pytest.raises(errors.BadConfig, match=f"{name} is {value} .the program changed it"):
            use()


def test_networks_are_read_in_one_place_which_checks_the_settings():
    sources = [path for folder in ("zoo", "training", "serving") for path in (ROOT / folder).rglob("*.py")]
    reading = {path.relative_to(ROOT).as_posix() for path in sources if " keras.models.load_model(" in path.read_text()}
    assert reading == {"zoo/models/classifier.py"}
