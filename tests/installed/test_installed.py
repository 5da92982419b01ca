"""Each extra alone is enough for its commands, wherever they run; what is light brings no TensorFlow."""

from __future__ import annotations

import json
import urllib.request
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from pynetdicom import AE
from pynetdicom.sop_class import Verification

from serving.client import Client
from tests.installed.conftest import Built, Served
from tests.installed.stranger import Stranger, free_port
from tests.waiting import until

pytestmark = [pytest.mark.installed, pytest.mark.timeout(1200)]
Strangers = Callable[[str], Stranger]
PACKAGES = ("zoo", "training", "serving", "dashboard")


def contents(wheel: Path) -> dict[str, int]:
    """The checksum of each file."""
    with zipfile.ZipFile(wheel) as archive:
        return {entry.filename: entry.CRC for entry in archive.infolist()}


def test_the_sdist_builds_the_same_wheel(built: Built):
    assert contents(built.wheel) == contents(built.direct)


def test_the_wheel_holds_every_file_of_the_packages(built: Built):
    files = (path for package in PACKAGES for path in (built.source / package).rglob("*") if path.is_file())
    assert not {path.relative_to(built.source).as_posix() for path in files} - contents(built.wheel).keys()


@pytest.mark.parametrize("extra", ["", "dashboard", "hospital"])
def test_what_is_light_brings_no_tensorflow(stranger: Strangers, extra: str):
    here = {path.name.partition("-")[0] for path in stranger(extra).site.iterdir()}
    assert "kerascope" in here
    assert not {"tensorflow", "keras", "tensorflow_serving", "jax", "torch"} & here


def test_the_core_lists_and_pulls_models(stranger: Strangers):
    user = stranger("")
    assert "phantom-chest" in user.run("zoo", "tasks")
    assert "densenet121" in user.run("zoo", "backbones")
    assert "phantoms" in user.run("zoo", "list")
    assert "every file is as it was exported" in user.run("zoo", "pull", "phantoms")
    assert "every file is as it was exported" in user.run("zoo", "verify", "phantoms")


def test_the_core_says_what_it_lacks(stranger: Strangers):
    user = stranger("")
    for words, extra in (("dashboard", "dashboard"), ("gateway --insecure", "serve"), ("data sets", "train")):
        assert f"pip install 'kerascope[{extra}]'" in user.run(*words.split(), status=1)


@pytest.mark.parametrize(("extra", "state"), [("", "not tested"), ("serve", "ok")])
def test_the_doctor_tests_what_there_is(stranger: Strangers, extra: str, state: str):
    checks = json.loads(stranger(extra).run("doctor", "--json", status=None))["checks"]
    assert {check["state"] for check in checks if check["part"] == "self-test"} == {state}


def test_the_core_asks_a_gateway(stranger: Strangers, served: Served, phantoms: Path):
    user, picture = stranger(""), min(phantoms.iterdir())
    ask = ("predict", "--model", "phantoms", "--gateway", served.gateway)
    found = json.loads(user.run(*ask, picture, "--json"))
    assert len(found["findings"]) == 5
    assert "nodule" in user.run(*ask, picture, "--overlay", "overlay.png", "--below")
    assert (user.folder / "overlay.png").stat().st_size
    assert "4 " in user.run("bench", "serve", "--model", "phantoms", "--gateway", served.gateway, "--seconds", "1")


@pytest.mark.parametrize(("extra", "tested"), [("", "not tested"), ("dashboard", "not tested"), ("serve", "ok")])
def test_the_doctor_is_well_and_tests_what_is_installed(stranger: Strangers, extra: str, tested: str):
    said = json.loads(stranger(extra).run("doctor", "--json"))
    assert said["well"]
    assert {check["state"] for check in said["checks"] if check["part"] == "self-test"} == {tested}


def test_a_gateway_of_serve_alone_explains(served: Served, phantoms: Path):
    with Client(served.gateway, timeout_s=120) as client:
        found = client.explain(
            min(phantoms.iterdir()).read_bytes(), model="phantoms", label="nodule", method="grad-cam"
        )
    assert found.label == "nodule"


def test_serve_renders_a_deployment(stranger: Strangers, served: Served):
    engineer = stranger("serve")
    engineer.run("deploy", "render", "--out", "a deployment", "--cpu")
    assert (engineer.folder / "a deployment" / "kubernetes" / "base" / "gateway.yaml").is_file()
    assert 'name: "phantoms"' in (engineer.folder / "a deployment" / "tfserving" / "models.config").read_text()


def test_a_gateway_that_is_to_have_a_store_says_which_extra_it_needs(stranger: Strangers, served: Served):
    said = stranger("serve").run("gateway", "--insecure", status=1, KERASCOPE_STORE="sqlite:///store.db")
    assert "`kerascope gateway` needs sqlalchemy, which is not installed" in said
    assert "pip install 'kerascope[hospital]'" in said


def test_the_dashboard_answers(stranger: Strangers, served: Served):
    port = free_port()
    words = ("dashboard", "--port", str(port), "--gateway", served.gateway)
    health = f"http://127.0.0.1:{port}/_stcore/health"
    with stranger("dashboard").serving(*words, port=port), urllib.request.urlopen(health, timeout=30) as answer:
        assert answer.read() == b"ok"


def test_the_hospitals_extra_keeps_files_and_echoes(stranger: Strangers, served: Served, phantoms: Path):
    hospital, picture, port = stranger("hospital"), min(phantoms.iterdir()), free_port()
    report = ("report", picture, "--model", "phantoms", "--gateway", served.gateway, "--below")
    hospital.run(*report, "--sr", "a.dcm", "--pdf", "a.pdf", "--fhir", "a.json", "--overlay", "overlay.dcm")
    assert (hospital.folder / "a.pdf").read_bytes().startswith(b"%PDF")
    hospital.run("deidentify", phantoms, "--out", "copies", "--secret", "secret")
    hospital.run("store", "upgrade", "--store", "sqlite:///store.db")
    assert "0 received" in hospital.run("store", "show", "--store", "sqlite:///store.db")
    node = (
        f'ae_title = "KERASCOPE"\nport = {port}\ngateway = "{served.gateway}"\nstore = "sqlite:///node.db"\n'
        'allow = ["CR1"]\nspool = "spool"\nuid_secret = "uid-secret"\n[[rule]]\nmodel = "phantoms"\n'
    )
    (hospital.folder / "node.toml").write_text(node, "utf-8")
    with hospital.serving("dicom-node", "node.toml", port=port):
        modality = AE("CR1")
        modality.add_requested_context(Verification)
        association = modality.associate("127.0.0.1", port, ae_title="KERASCOPE")
        assert association.send_c_echo().Status == 0
        association.release()


def test_train_makes_a_model_of_nothing(stranger: Strangers):
    trainer = stranger("train")
    trainer.run("data", "phantoms", "build/demo/data", "--patients", "40", "--size", "128")
    trainer.run("data", "check", "build/demo/data/manifest.csv")
    small = ("--set", "image_size=48", "--set", "stage.2.epochs=1")
    trainer.run("train", "training/configs/phantoms.toml", *small)
    trainer.run("evaluate", "runs/phantoms")
    assert (trainer.folder / "runs" / "phantoms" / "evaluation" / "report.html").is_file()
    trainer.run("export", "runs/phantoms")
    assert "phantoms" in trainer.run("zoo", "list")
    picture = min((trainer.folder / "build/demo/data/images").iterdir())
    trainer.run("explain", "maps", "registry/phantoms", "--images", picture, "--out", "maps", "--method", "lime")
    said = trainer.run("train", "training/configs/phantoms-imagenet.toml", status=1)
    assert "The ImageNet weights of mobilenetv2-0.35 could not be had" in said


def test_onnx_exports_what_train_made(stranger: Strangers):
    trainer = stranger("train")
    if not (trainer.folder / "runs" / "phantoms").is_dir():
        pytest.skip("there is no run: test_train_makes_a_model_of_nothing did not end well")
    assert "pip install 'kerascope[onnx]'" in trainer.run("export", "runs/phantoms", "--format", "onnx", status=1)
    user = Stranger(stranger("onnx").environment, trainer.folder)
    assert "as the model does" in user.run("export", "runs/phantoms", "--format", "onnx")


def test_openvino_serves(stranger: Strangers):
    engineer, port = stranger("openvino"), free_port()
    engineer.run("zoo", "pull", "phantoms")
    model = ("--model_name=phantoms", f"--model_base_path={engineer.folder / 'registry' / 'phantoms'}")
    with engineer.serving("serve", f"--port={port}", *model, "--engine=openvino", port=port):
        status = ("models", "status", "phantoms", "--model_server", f"localhost:{port}")
        until(lambda: "AVAILABLE" in engineer.run(*status))
