"""What `kerascope deploy render` writes for a registry, read as its readers read it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.deploy.kustomize import build
from zoo import errors
from zoo.bundles import Bundle, write_checksums

pytestmark = pytest.mark.slow

TINY = "tiny-chest"


@pytest.fixture(scope="module")
def bundles(tmp_path_factory: pytest.TempPathFactory, export_tiny) -> Path:
    """Two models: tiny-chest with three versions, and another with one."""
    folder = tmp_path_factory.mktemp("bundles")
    for bundle in (*(export_tiny(folder) for _ in range(3)), export_tiny(folder, name="another")):
        warm_up(bundle, (1, 2, 4, 8))
    return folder


def warm_up(bundle: Bundle, sizes: tuple[int, ...]) -> None:
    """As `kerascope export` does it; the tiny bundles are warmed for single pictures only."""
    from zoo.warmup import write_warmup

    write_warmup(bundle.path / "assets.extra" / "tf_serving_warmup_requests", bundle.card, sizes)
    write_checksums(bundle.path)


def render(bundles: Path, out: Path, **options: object) -> Path:
    from serving.deploy.render import Plan
    from serving.deploy.render import render as rendered

    rendered(Plan(registry=bundles, out=out, **options))
    return out


def model_server(resources):
    """The container of the model server."""
    (deployment,) = [r for r in resources if (r["kind"], r["metadata"]["name"]) == ("Deployment", "model-server")]
    return deployment["spec"]["template"]["spec"]["containers"][0]


def models(out: Path):
    from google.protobuf import text_format
    from tensorflow_serving.config.model_server_config_pb2 import ModelServerConfig

    config = text_format.Parse((out / "tfserving" / "models.config").read_text(), ModelServerConfig())
    return {model.name: model for model in config.model_config_list.config}


def test_every_model_is_pinned_to_its_newest_version_at_an_absolute_path(bundles, tmp_path):
    found = models(render(bundles, tmp_path))
    assert {name: list(model.model_version_policy.specific.versions) for name, model in found.items()} == {
        "another": [1],
        TINY: [3],
    }
    assert found[TINY].base_path == f"/models/{TINY}"
    assert found[TINY].model_platform == "tensorflow"
    assert dict(found[TINY].version_labels) == {"stable": 3}


def test_a_stable_and_a_canary_version_are_both_served(bundles, tmp_path):
    model = models(render(bundles, tmp_path, names=[TINY], stable={TINY: 1}, canary={TINY: 3}))[TINY]
    assert list(model.model_version_policy.specific.versions) == [1, 3]
    assert dict(model.version_labels) == {"stable": 1, "canary": 3}


def test_batches_are_as_large_as_the_warm_up(bundles, tmp_path):
    from serving.deploy.warmed import warmed_sizes
    from zoo.bundles import Registry

    text = (render(bundles, tmp_path, batch_timeout_us=500) / "tfserving" / "batching.config").read_text()
    allowed = tuple(int(size) for size in re.findall(r"^allowed_batch_sizes: (\d+)", text, re.MULTILINE))
    assert allowed == warmed_sizes(Registry(bundles).bundle(TINY)) == (1, 2, 4, 8)
    assert f"max_batch_size {{ value: {allowed[-1]} }}" in text  # session_bundle_config.proto: the last one
    assert "batch_timeout_micros { value: 500 }" in text


def test_bundles_warmed_for_other_sizes_are_batched_by_those_they_share():
    from serving.deploy.files import common_sizes

    assert common_sizes({"a": (1, 2, 4, 8), "b": (4, 1, 16)}) == (1, 4)
    with pytest.raises(errors.BadBundle, match="a: 1, 2; b: none"):
        common_sizes({"a": (1, 2), "b": ()})


def test_the_overlays_can_be_built_from_the_folder_alone(bundles, tmp_path):
    out = render(bundles, tmp_path, tensorflow_serving="2.19.1", gpu_memory_fraction=0.5, replicas=(3, 6))
    for kind in ("gpu", "cpu"):
        resources = build(out / "kubernetes" / "overlays" / kind)
        (config,) = [r for r in resources if r["kind"] == "ConfigMap"]
        assert TINY in config["data"]["models.config"]
        (scaler,) = [r for r in resources if r["kind"] == "HorizontalPodAutoscaler"]
        assert (scaler["spec"]["minReplicas"], scaler["spec"]["maxReplicas"]) == (3, 6)
        server = model_server(resources)
        assert server["image"] == "tensorflow/serving:2.19.1" + ("-gpu" if kind == "gpu" else "")
        assert ("--per_process_gpu_memory_fraction=0.5" in server["args"]) is (kind == "gpu")


def test_on_processors_each_core_computes_one_call_at_a_time(bundles, tmp_path):
    out = render(bundles, tmp_path, gpu=False, cpus=6)
    batching = (out / "tfserving" / "batching.config").read_text()
    assert "num_batch_threads { value: 6 }" in batching
    assert "batch_timeout_micros { value: 0 }" in batching
    assert re.findall(r"allowed_batch_sizes: (\d+)", batching) == ["1"]
    server = model_server(build(out / "kubernetes" / "overlays" / "cpu"))
    assert "--tensorflow_intra_op_parallelism=1" in server["args"]
    assert server["resources"]["requests"]["cpu"] == "6"
    assert "INTRA_OP_THREADS=1" in (out / ".env").read_text()


def test_a_call_of_many_rows_is_still_taken_where_each_core_computes_one(bundles, tmp_path):
    from serving.modelserver.batch_parameters import read_common
    from serving.modelserver.options import Options

    file = render(bundles, tmp_path, gpu=False, cpus=2) / "tfserving" / "batching.config"
    read = read_common(Options(model_base_path="m", enable_batching=True, batching_parameters_file=str(file)))
    assert (read.max_batch_size, read.max_execution_batch_size, read.num_batch_threads) == (8, 1, 2)
    assert read.max_enqueued_batches == 32 * 8  # as many rows as in batches of 8


def test_cores_that_nobody_named_are_left_to_tensorflow(bundles, tmp_path):
    out = render(bundles, tmp_path, gpu=False)
    args = model_server(build(out / "kubernetes" / "overlays" / "cpu"))["args"]
    assert not [flag for flag in args if "intra_op" in flag]
    assert "INTRA_OP_THREADS=0" in (out / ".env").read_text()


@pytest.mark.parametrize(("gpu", "waits"), [(True, 2000), (False, 0)])
def test_a_lone_call_waits_for_company_on_a_gpu_only(bundles, tmp_path, gpu, waits):
    text = (render(bundles, tmp_path, gpu=gpu) / "tfserving" / "batching.config").read_text()
    assert f"batch_timeout_micros {{ value: {waits} }}" in text


@pytest.mark.parametrize(("gpu", "profile"), [(True, "gpu"), (False, "cpu")])
def test_compose_is_told_which_server_and_which_registry(bundles, tmp_path, gpu, profile):
    out = render(bundles, tmp_path, gpu=gpu)
    told = dict(line.split("=") for line in (out / ".env").read_text().splitlines() if not line.startswith("#"))
    assert told["COMPOSE_PROFILES"] == profile
    assert Path(told["KERASCOPE_REGISTRY"]) == bundles
    assert (Path(told["KERASCOPE_SOURCE"]) / "Dockerfile").is_file()
    variables = set(re.findall(r"\$\{(\w+):-", (out / "compose.yaml").read_text()))
    assert told.keys() - {"COMPOSE_PROFILES"} <= variables


def test_a_damaged_bundle_is_not_rendered(bundles, tmp_path):
    import shutil

    mine = shutil.copytree(bundles, tmp_path / "registry")
    (mine / TINY / "3" / "saved_model.pb").write_bytes(b"other")
    with pytest.raises(errors.BadBundle, match=r"saved_model\.pb has changed"):
        render(mine, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("options", "error", "said"),
    [
        ({"stable": {TINY: 9}}, errors.UnknownModel, "has no version 9"),
        ({"canary": {TINY: 3}}, errors.BadRequest, "stable and canary"),
        ({"names": ["another"], "stable": {TINY: 1}}, errors.UnknownModel, "the models are another"),
        ({"tensorflow_serving": "latest"}, errors.BadConfig, "must be pinned"),
        ({"gpu_memory_fraction": 90}, errors.BadConfig, "over 0 and at most 1"),
        ({"replicas": (4, 2)}, errors.BadConfig, "no range"),
        ({"cpus": 4}, errors.BadConfig, "on a processor"),
        ({"gpu": False, "cpus": 0}, errors.BadConfig, "at least 1"),
    ],
)
def test_what_cannot_be_is_refused(bundles, tmp_path, options, error, said):
    with pytest.raises(error, match=said):
        render(bundles, tmp_path, **options)


def test_the_command_says_what_was_pinned_and_what_to_type_next(bundles, tmp_path):
    import typer.testing

    import kerascope

    done = typer.testing.CliRunner().invoke(
        kerascope.app,
        ["deploy", "render", "--registry", str(bundles), "--out", str(tmp_path), "--cpu", "--canary", f"{TINY}=1"],
    )
    assert done.exit_code == 0, done.output
    assert f"{TINY}: stable is version 3, canary is version 1" in done.output
    assert "overlays/cpu" in done.output


def test_the_wheel_holds_what_is_rendered():
    from serving.deploy.render import COPIED

    written = (Path(__file__).parents[2] / "setup.py").read_text("utf-8")
    assert all(f'"{name}"' in written for name in COPIED)


def test_without_a_checkout_compose_is_told_no_folder_to_build_from(bundles, tmp_path, monkeypatch):
    monkeypatch.setattr("serving.deploy.render.CHECKOUT", None)
    assert "\n# KERASCOPE_SOURCE=" in (render(bundles, tmp_path) / ".env").read_text()
