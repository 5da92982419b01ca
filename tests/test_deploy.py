"""The images and the composition, read as their tools read them: there is no container engine where these tests run."""

from __future__ import annotations

import dataclasses
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import jsonschema
import pytest
import yaml

from serving.settings import Settings
from zoo.bundles import Registry

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).parents[1]
DEPLOY = ROOT / "deploy"
TARGETS = ("trainer", "gateway", "dashboard", "dicom-node")
MODEL_SERVERS = ("model-server-gpu", "model-server-cpu")
# What TensorFlow Serving has and the embedded server does without.
TENSORFLOW_SERVING_ALONE = {"enable_profiler", "per_process_gpu_memory_fraction"}


class Stage(NamedTuple):
    """One `FROM ... AS name` of the Dockerfile and what follows it."""

    base: str
    instructions: list[tuple[str, str]]

    def all(self, instruction: str) -> list[str]:
        return [value for name, value in self.instructions if name == instruction]


def stages() -> dict[str, Stage]:
    found: dict[str, Stage] = {}
    kept = [line for line in (ROOT / "Dockerfile").read_text().splitlines() if not line.startswith("#")]
    for line in re.sub(r"\\\n", "", "\n".join(kept)).splitlines():
        name, _, value = line.partition(" ")
        if name == "FROM":
            base, stage = value.split(" AS ")
            found[stage] = current = Stage(base, [])
        elif name and found:
            current.instructions.append((name, value.strip()))
    return found


def chain(target: str) -> list[Stage]:
    """A stage, those it is built on, and those it copies from."""
    known, names = stages(), [target]
    for name in names:
        copied = [source for copy in known[name].all("COPY") for source in re.findall(r"--from=(\S+)", copy)]
        names += [other for other in (known[name].base, *copied) if other in known and other not in names]
    return [known[name] for name in names]


def copied(stage: Stage) -> list[str]:
    """What a stage takes from the build context."""
    return [source for copy in stage.all("COPY") if "--from" not in copy for source in copy.split()[:-1]]


def extras() -> dict[str, list[str]]:
    found: dict[str, list[str]] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"][
        "optional-dependencies"
    ]
    return found


def installed(target: str) -> set[str]:
    """The extras that an image installs."""
    text = "\n".join(value for stage in chain(target) for _, value in stage.instructions)
    named = set(re.findall(r"-r (\w+)\.txt", text))
    default = re.search(r'TRAINER_EXTRAS="([\w ]+)"', text)
    return named | set(default.group(1).split() if default else ())


def compose() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    return loaded


def services() -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = compose()["services"]
    return found


def flags(service: dict[str, Any]) -> dict[str, str]:
    words = [*service["entrypoint"][1:], *service["command"]]
    return dict(flag.removeprefix("--").split("=", 1) for flag in words)


def substituted(text: str) -> str:
    """A value with the defaults of its `${NAME:-default}`."""
    return re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", text)


@pytest.mark.parametrize("target", TARGETS)
def test_what_an_image_copies_exists_and_is_let_into_the_build(target):
    ignore = (ROOT / ".dockerignore").read_text().splitlines()
    allowed = {line[1:] for line in ignore if line.startswith("!")}
    assert "*" in ignore, "the build context must be closed but for what is named"
    for source in (source for stage in chain(target) for source in copied(stage)):
        assert (ROOT / source).exists(), f"{target} copies {source}, which is not there"
        assert source.split("/")[0] in allowed, f".dockerignore keeps {source} out"


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("trainer", {"train"}),
        ("gateway", {"serve", "hospital"}),
        ("dashboard", {"dashboard"}),
        ("dicom-node", {"hospital"}),
    ],
)
def test_an_image_installs_the_extras_it_needs_and_no_other(target, expected):
    assert installed(target) == expected
    assert expected <= extras().keys()


@pytest.mark.parametrize(
    ("target", "packages"),
    [
        ("trainer", {"zoo", "training"}),
        ("gateway", {"zoo", "serving"}),
        ("dashboard", {"zoo", "serving", "dashboard"}),
        ("dicom-node", {"zoo", "serving"}),
    ],
)
def test_an_image_holds_the_packages_it_runs_and_no_other(target, packages):
    folders = {source for stage in chain(target) for source in copied(stage) if (ROOT / source).is_dir()}
    assert folders - {"training/configs"} == packages


@pytest.mark.parametrize(
    ("target", "command", "absent"),
    [
        ("trainer", "train", ("serving", "dashboard")),
        ("gateway", "gateway", ("training", "dashboard", "pandas", "sklearn")),
        ("dashboard", "dashboard", ("training", "tensorflow", "tensorflow_serving", "sqlalchemy", "pandas", "sklearn")),
    ],
)
def test_the_command_of_an_image_does_without_the_packages_that_are_not_in_it(target, command, absent):
    assert not {f"COPY {package} {package}" for package in absent} & {
        f"{name} {value}" for stage in chain(target) for name, value in stage.instructions
    }
    code = f"import sys; sys.modules.update(dict.fromkeys({absent!r})); import kerascope; kerascope.main()"
    done = subprocess.run(
        [sys.executable, "-c", code, command, "--help"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "Usage:" in done.stdout


@pytest.mark.skipif(sys.version_info < (3, 11), reason="the image has Python 3.11, which brings tomllib")
def test_the_needs_of_each_extra_are_listed_by_the_command_in_the_dockerfile(tmp_path):
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    command = next(run for run in stages()["builder"].all("RUN") if "tomllib" in run)
    subprocess.run(["sh", "-c", command.replace("python", sys.executable, 1)], cwd=tmp_path, check=True, timeout=60)
    written = {path.stem: path.read_text().splitlines() for path in tmp_path.glob("*.txt")}
    assert written.keys() == extras().keys()
    assert any(line.startswith("grpcio>") for line in written["dashboard"]), "the core belongs to each"
    assert any(line.startswith("tensorflow>") for line in written["serve"])
    assert not [line for line in written["dashboard"] if line.startswith(("tensorflow", "keras"))]


@pytest.mark.parametrize("target", TARGETS)
def test_an_image_runs_as_nobody_special_and_says_how_it_is(target):
    stage = stages()[target]
    user = stage.all("USER")[-1].split(":")[0]
    assert user.isdigit()
    assert int(user) > 0
    assert len(stage.all("HEALTHCHECK")) == 1
    assert "slim" in re.findall(r"ARG PYTHON_IMAGE=(\S+)", (ROOT / "Dockerfile").read_text())[0]


def test_needs_are_installed_before_the_code_so_that_a_change_of_code_is_quick():
    for name in (f"{target}-builder" for target in TARGETS):
        order = [(i, value) for i, value in stages()[name].instructions if i in ("COPY", "RUN")]
        assert "pip install -c constraints.txt" in order[0][1]
        assert order[-1][1] == "pip install --no-deps ."


@pytest.mark.parametrize("service", ["gateway", "dashboard", "dicom-node"])
def test_the_composition_builds_targets_that_there_are(service):
    build = services()[service]["build"]
    assert (DEPLOY / substituted(build["context"])).resolve() == ROOT
    assert build["target"] in stages()


def test_the_composition_is_one_by_the_compose_specification():
    # check-jsonschema carries the schema of https://github.com/compose-spec/compose-spec (Apache-2.0).
    builtin = pytest.importorskip("check_jsonschema.builtin_schemas", reason="check-jsonschema needs Python 3.11")
    schema = builtin.get_builtin_schema("vendor.compose-spec")
    jsonschema.validate(compose(), schema)
    broken = compose()
    broken["services"]["gateway"]["helthcheck"] = {}
    with pytest.raises(jsonschema.ValidationError, match="helthcheck"):
        jsonschema.validate(broken, schema)


@pytest.mark.parametrize("name", MODEL_SERVERS)
def test_the_model_server_is_reached_by_nobody_but_the_gateway_and_prometheus(name):
    server = services()[name]
    assert not server.get("ports")
    assert server["networks"].keys() == {"private", "metrics"}
    assert flags(server)["enable_profiler"] == "false"
    for network, reached_by in (("private", {"gateway"}), ("metrics", {"gateway", "prometheus", "grafana"})):
        assert compose()["networks"][network]["internal"] is True
        members = {other for other, service in services().items() if network in service["networks"]}
        assert members == {*MODEL_SERVERS, *reached_by}
        assert server["networks"][network]["aliases"] == ["model-server"]


def test_the_gateway_takes_every_model_server_behind_the_name_in_turn():
    address = services()["gateway"]["environment"]["KERASCOPE_MODEL_SERVER"]
    assert address == f"dns:///model-server:{flags(services()[MODEL_SERVERS[0]])['port']}"


def test_what_is_published_is_published_to_this_machine_alone():
    for service in services().values():
        for published in service.get("ports", ()):
            assert re.match(r"\$\{KERASCOPE_(DICOM_)?BIND:-127\.0\.0\.1\}:", published)


def test_each_profile_has_its_own_pinned_model_server():
    gpu, cpu = (services()[name] for name in MODEL_SERVERS)
    assert 0 < float(substituted(flags(gpu)["per_process_gpu_memory_fraction"])) < 1
    assert "per_process_gpu_memory_fraction" not in flags(cpu)
    assert (gpu["profiles"], cpu["profiles"]) == (["gpu"], ["cpu"])
    assert re.fullmatch(r"tensorflow/serving:\$\{TENSORFLOW_SERVING:-\d+\.\d+\.\d+\}-gpu", gpu["image"])
    assert gpu["image"] == cpu["image"] + "-gpu"
    assert gpu["deploy"]["resources"]["reservations"]["devices"][0]["capabilities"] == ["gpu"]
    assert "deploy" not in cpu


@pytest.mark.parametrize("name", [*MODEL_SERVERS, "gateway", "dashboard", "dicom-node", "prometheus", "grafana"])
def test_a_service_can_change_nothing_but_its_temporary_files(name):
    service = services()[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["restart"] == "unless-stopped"
    assert "privileged" not in service
    for volume in service.get("volumes", ()):
        kept = isinstance(volume, str) and volume.split(":")[0] in compose()["volumes"]
        assert kept or (volume["read_only"] if isinstance(volume, dict) else volume.endswith(":ro"))
    assert "healthcheck" in service or stages()[name].all("HEALTHCHECK")


@pytest.mark.parametrize("name", MODEL_SERVERS)
def test_the_model_server_is_started_with_flags_of_the_embedded_one_too(name):
    options = pytest.importorskip("serving.modelserver.options")
    known = {field.name for field in dataclasses.fields(options.Options)}
    given = flags(services()[name]).keys()
    assert given - known <= TENSORFLOW_SERVING_ALONE <= options.REFUSED.keys()
    assert given >= {"model_config_file", "model_config_file_poll_wait_seconds"}


@pytest.mark.parametrize("name", MODEL_SERVERS)
def test_the_configuration_files_named_are_mounted_from_files_that_there_are(name):
    service = services()[name]
    source, target, mode = next(volume for volume in service["volumes"] if isinstance(volume, str)).split(":")
    assert mode == "ro"
    for flag in ("model_config_file", "batching_parameters_file", "monitoring_config_file"):
        file = Path(flags(service)[flag])
        assert str(file.parent) == target
        assert (DEPLOY / source / file.name).is_file()


def test_the_model_configuration_is_read_by_the_embedded_server_and_lies_in_the_mounted_registry():
    models = pytest.importorskip("serving.modelserver.config")
    config = models.read_config(DEPLOY / "tfserving" / "models.config")
    mounts = [volume for volume in services()["gateway"]["volumes"] if isinstance(volume, dict)]
    for model in config.model_config_list.config:
        assert model.base_path == f"{mounts[0]['target']}/{model.name}"
        assert model.model_platform == models.PLATFORM
        assert Registry(ROOT).versions(model.name) == []  # a name the registry would accept


def test_batches_are_as_large_as_the_warm_up_of_every_bundle():
    # A batch of another size would meet a GPU that has not been warmed for it, and be slow once.
    text = (DEPLOY / "tfserving" / "batching.config").read_text()
    allowed = [int(size) for size in re.findall(r"^allowed_batch_sizes: (\d+)", text, re.MULTILINE)]
    largest = int(re.findall(r"^max_batch_size \{ value: (\d+) \}", text, re.MULTILINE)[0])
    assert allowed == sorted(allowed)
    assert allowed[-1] == largest  # TensorFlow Serving's session_bundle_config.proto demands it
    assert allowed == list(warm_up_sizes())


def warm_up_sizes() -> tuple[int, ...]:
    """The default of `batch_sizes` in zoo/export.py, read without importing TensorFlow."""
    text = (ROOT / "zoo" / "export.py").read_text()
    return tuple(int(size) for size in re.findall(r"batch_sizes[^=]*= ?\(([\d, ]+)\)", text)[0].split(","))


def test_no_secret_is_written_into_an_image_or_the_composition():
    secret = re.compile(r"(?i)password|secret|token|api_?key|tls_")
    for stage in stages().values():
        assert not [value for kind in ("ENV", "ARG", "COPY") for value in stage.all(kind) if secret.search(value)]
    for name, service in services().items():
        for variable, value in service.get("environment", {}).items():
            if secret.search(variable):
                folder, file = value.rsplit("/", 1)
                assert folder == "/run/secrets", f"{name}: {variable}"
                assert file in service["secrets"], f"{name}: {variable}"
    for file, held in compose()["secrets"].items():
        assert held == {"file": f"${{KERASCOPE_SECRETS:-./secrets}}/{file}"}


def test_the_gateway_may_start_as_it_is_composed_and_each_holds_only_its_own_secrets():
    told = services()["gateway"]["environment"]
    assert {"KERASCOPE_TLS_CERTIFICATE", "KERASCOPE_TLS_KEY", "KERASCOPE_TOKEN_SECRET"} <= told.keys()
    assert "KERASCOPE_INSECURE" not in told
    assert services()["dashboard"]["secrets"] == ["ca.crt", "dashboard-token"]
    assert services()["dicom-node"]["secrets"] == ["ca.crt", "node-token"]
    assert {name for name, each in services().items() if "secrets" in each} == {"gateway", "dashboard", "dicom-node"}


def test_the_gateway_as_composed_keeps_its_answers_and_its_audit_trail_on_a_volume_that_outlives_it():
    gateway = services()["gateway"]
    assert gateway["read_only"] is True
    (folder,) = (volume.split(":")[1] for volume in gateway["volumes"] if isinstance(volume, str))
    told = Settings.from_environment(gateway["environment"])
    assert told.store == f"sqlite:///{folder}/store.db"
    assert told.audit == Path(folder, "audit.jsonl")
    assert f"install --directory --mode=700 --owner=10001 --group=10001 {folder}" in stages()["gateway"].all("RUN")
