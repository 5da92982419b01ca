"""The gateway over real servers: bundle on disk, model server, gateway, client, each on a free port."""

from __future__ import annotations

import io
import logging
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import numpy as np
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase
from pydicom.encaps import encapsulate
from pydicom.uid import MPEG2MPML

from serving.client import Client
from serving.proto.kerascope.v1 import inference_pb2, inference_pb2_grpc
from serving.server import Gateway
from zoo import errors
from zoo.bundles import Registry, sha256_of
from zoo.errors import Reason
from zoo.imaging.image import read
from zoo.imaging.preprocess import preprocess
from zoo.results import Analysis, Verdict

pytestmark = pytest.mark.slow

TINY = "tiny-chest"
Directly = Callable[[bytes], dict[str, np.ndarray]]

CT_SERIES = Path(__file__).parents[2] / "../shared/data/ct_series"


def until(holds: Callable[[], bool], timeout_s: float = 10.0) -> bool:
    """Whether something comes true in time."""
    end = time.monotonic() + timeout_s
    while not holds():
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True


@pytest.fixture(scope="module")
def directly(registry: Path) -> Directly:
    """directly(file): the bundle's SavedModel, called in this process."""
    import tensorflow as tf

    bundle = Registry(registry).bundle(TINY)
    loaded = tf.saved_model.load(str(bundle.path))

    def call(image: bytes) -> dict[str, np.ndarray]:
        pixels = preprocess(read(image), bundle.card.input)
        outputs = loaded.signatures["analyze"](image=tf.constant(pixels[None]))
        return {name: value.numpy()[0] for name, value in outputs.items()}

    return call


def assert_same(analysis: Analysis, expected: dict[str, np.ndarray]) -> None:
    # The server multiplies constants out and adds float32 up in another order: equal to 1e-4, not to the last bit.
    np.testing.assert_allclose([f.probability for f in analysis.findings], expected["probability"], atol=1e-4)
    np.testing.assert_allclose([f.logit for f in analysis.findings], expected["logit"], atol=1e-4)
    evidence = np.stack([f.evidence for f in analysis.findings], axis=-1)
    np.testing.assert_allclose(evidence, expected["evidence"], atol=1e-4)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "DICOM"])
def test_an_analysis_is_what_the_saved_model_says_of_the_file(kind, client, directly, png, jpeg, make_dicom):
    data = {"PNG": png, "JPEG": jpeg, "DICOM": make_dicom()}[kind]
    analysis = client.analyze(data, model=TINY, embedding=True)
    expected = directly(data)
    assert_same(analysis, expected)
    np.testing.assert_allclose(analysis.embedding, expected["embedding"], atol=1e-4)
    assert (analysis.image.format, analysis.image.width, analysis.image.height) == (kind, 80, 96)
    assert analysis.image.modality == ("CR" if kind == "DICOM" else "")


def test_each_finding_carries_its_operating_point_and_verdict(client, png):
    findings = client.analyze(png, model=TINY).findings
    labels = client.card(TINY).labels
    assert [finding.label for finding in findings] == [label.name for label in labels]
    assert [finding.operating_point for finding in findings] == [label.operating_point for label in labels]
    verdicts = {finding.label: finding.verdict for finding in findings}
    assert verdicts["nodule"] is Verdict.PRESENT
    assert verdicts["consolidation"] is Verdict.ABSENT
    assert verdicts["effusion"] is Verdict.NOT_SURE
    assert verdicts["pneumothorax"] is Verdict.UNRATED


def test_an_answer_says_where_it_comes_from_and_what_it_is_not_for(client, registry, png, tmp_path):
    analysis, again = (client.analyze(png, model=TINY) for _ in range(2))
    made_by, card = analysis.provenance, Registry(registry).bundle(TINY).card
    (tmp_path / "image").write_bytes(png)
    assert (made_by.model, made_by.version, made_by.backbone) == (TINY, 1, "small-cnn")
    assert made_by.weights_sha256 == card.weights_sha256
    assert made_by.image_sha256 == sha256_of(tmp_path / "image")
    assert made_by.analysis_id != again.provenance.analysis_id
    assert "Research use only" in analysis.notice
    assert analysis.embedding is None


def test_timings_add_up(client, png):
    timings = client.analyze(png, model=TINY).timings
    parts = (timings.decode_ms, timings.preprocess_ms, timings.model_ms)
    assert min(parts) > 0
    assert sum(parts) <= timings.total_ms


def test_eight_threads_get_each_their_own_answer(client, directly, make_png):
    pictures = [make_png(seed) for seed in range(8)]
    expected = [directly(data) for data in pictures]
    assert not np.allclose(expected[0]["logit"], expected[1]["logit"], atol=1e-3)  # else nothing is tested
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda number: client.analyze(pictures[number % 8], model=TINY), range(64)))
    for number, analysis in enumerate(answers):
        assert_same(analysis, expected[number % 8])


def refusals(png: bytes, make_dicom: Callable[..., bytes]) -> dict[Reason, bytes]:
    return {
        Reason.EMPTY: b"",
        Reason.NOT_AN_IMAGE: b"%PDF-1.7 a report",
        Reason.DAMAGED: png[: len(png) // 2],
        Reason.WRONG_MODALITY: make_dicom(Modality="CT"),
        Reason.UNREADABLE_TRANSFER_SYNTAX: make_dicom(syntax=MPEG2MPML, PixelData=encapsulate([bytes(64)])),
        Reason.BLANK: make_dicom(PixelData=bytes(2 * 96 * 80)),
        Reason.MULTIPLE_FRAMES: make_dicom(NumberOfFrames=2, PixelData=bytes(4 * 96 * 80)),
    }


@pytest.mark.parametrize(
    "reason",
    [
        Reason.EMPTY,
        Reason.NOT_AN_IMAGE,
        Reason.DAMAGED,
        Reason.UNREADABLE_TRANSFER_SYNTAX,
        Reason.WRONG_MODALITY,
        Reason.BLANK,
        Reason.MULTIPLE_FRAMES,
    ],
)
def test_a_picture_that_is_none_for_the_model_is_refused_with_the_reason(reason, client, png, make_dicom):
    with pytest.raises((errors.BadImage, errors.ImageRefused)) as caught:
        client.analyze(refusals(png, make_dicom)[reason], model=TINY)
    assert caught.value.reason is reason


def test_a_refusal_is_invalid_argument_on_the_wire(gateway):
    with grpc.insecure_channel(gateway.address) as channel, pytest.raises(grpc.RpcError) as caught:
        inference_pb2_grpc.InferenceStub(channel).Analyze(
            inference_pb2.AnalyzeRequest(model=inference_pb2.ModelRef(name=TINY), image=b"hello"), timeout=10
        )
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert ("kerascope-reason", "NOT_AN_IMAGE") in [tuple(item) for item in caught.value.trailing_metadata()]


@pytest.mark.parametrize("over_bytes", [1, 20 << 20])
def test_a_file_over_the_limit_is_refused_however_far_over(over_bytes, registry, model_server, png, start_gateway):
    limit = 1 << 20
    gateway = start_gateway(registry, model_server.port, max_image_bytes=limit)
    with Client(gateway.address) as client:
        at_limit = png + bytes(limit - len(png))
        assert client.analyze(at_limit, model=TINY).findings  # what follows a PNG's end is not read
        with pytest.raises(errors.BadImage) as caught:
            client.analyze(png + bytes(limit - len(png) + over_bytes), model=TINY)
        assert caught.value.reason is Reason.TOO_LARGE


def test_an_unknown_model_or_version_is_named_with_what_is_near(client, png):
    with pytest.raises(errors.UnknownModel, match=r"tiny-chset.*tiny-chest"):
        client.analyze(png, model="tiny-chset")
    with pytest.raises(errors.UnknownModel, match="no version 7"):
        client.analyze(png, model=TINY, version=7)
    for name in ("../../etc", "x" * 300, "\x00"):
        with pytest.raises(errors.UnknownModel):
            client.card(name)
    with pytest.raises(errors.BadRequest):
        client.card(TINY, version=-1)


def test_models_and_cards_are_listed(client, registry):
    (model,) = client.models()
    card = client.card(TINY)
    assert card == Registry(registry).bundle(TINY).card
    assert (model.name, model.version, model.task, model.labels) == (TINY, 1, card.task, card.label_names)
    assert model.question == card.question
    assert model.ready


@pytest.fixture
def own_registry(registry: Path, tmp_path: Path) -> Path:
    """A registry of this test's own, to change."""
    shutil.copytree(registry, tmp_path / "registry")
    return tmp_path / "registry"


def health(gateway: Gateway, service: str) -> int:
    with grpc.insecure_channel(gateway.address) as channel:
        request = health_pb2.HealthCheckRequest(service=service)
        return int(health_pb2_grpc.HealthStub(channel).Check(request, timeout=5).status)


SERVING, NOT_SERVING = health_pb2.HealthCheckResponse.SERVING, health_pb2.HealthCheckResponse.NOT_SERVING


def test_the_gateway_survives_its_model_server(own_registry, png, start_model_server, start_gateway):
    server = start_model_server(own_registry)
    gateway = start_gateway(own_registry, server.port)
    with Client(gateway.address) as client:
        assert client.analyze(png, model=TINY).findings
        assert health(gateway, TINY) == health(gateway, f"{TINY}/1") == SERVING
        server.stop(0)
        with pytest.raises(errors.ModelNotReady, match="No model server answers"):
            client.analyze(png, model=TINY)
        assert until(lambda: health(gateway, TINY) == health(gateway, f"{TINY}/1") == NOT_SERVING)
        assert not client.ready(TINY)
        assert not client.models()[0].ready
        assert health(gateway, "") == health(gateway, "kerascope.v1.Inference") == SERVING
        server = start_model_server(own_registry, port=server.port)
        client.wait_until_ready(TINY, timeout_s=10)
        assert client.analyze(png, model=TINY).findings


def test_a_new_version_is_served_without_a_restart_and_without_a_gap(
    own_registry, png, export_tiny, start_model_server, start_gateway
):
    server = start_model_server(own_registry)
    gateway = start_gateway(own_registry, server.port)
    with Client(gateway.address) as client:
        assert client.analyze(png, model=TINY).provenance.version == 1
        export_tiny(own_registry, seed=1)
        answered = set()
        assert until(lambda: answered.add(client.analyze(png, model=TINY).provenance.version) or answered == {1, 2})
        assert until(lambda: health(gateway, f"{TINY}/2") == SERVING)
        assert until(lambda: health(gateway, f"{TINY}/1") == NOT_SERVING)  # TensorFlow Serving keeps the newest
        with pytest.raises(errors.ModelNotReady, match="has not loaded it"):
            client.analyze(png, model=TINY, version=1)


def test_a_changed_bundle_is_refused_and_not_listed(own_registry, model_server, png, caplog, start_gateway):
    bundle = Registry(own_registry).bundle(TINY)
    bundle.keras_path.write_bytes(b"not what was exported")
    gateway = start_gateway(own_registry, model_server.port)
    with Client(gateway.address) as client:
        assert client.models() == []
        with pytest.raises(errors.BadBundle, match=r"model\.keras has changed"):
            client.analyze(png, model=TINY, version=1)
        with pytest.raises(errors.KerascopeError):
            client.analyze(png, model=TINY)
        assert not client.ready(TINY)
    assert "model.keras has changed" in caplog.text


def test_a_bundle_still_being_copied_is_taken_once_it_is_complete(
    own_registry, registry, model_server, png, start_gateway
):
    weights = "variables/variables.data-00000-of-00001"
    (own_registry / TINY / "1" / weights).write_bytes(b"half")
    gateway = start_gateway(own_registry, model_server.port)
    with Client(gateway.address) as client:
        assert not client.ready(TINY)
        shutil.copy(registry / TINY / "1" / weights, own_registry / TINY / "1" / weights)
        client.wait_until_ready(TINY, timeout_s=10)
        assert client.analyze(png, model=TINY).findings


def test_a_model_taken_out_of_the_registry_is_no_longer_healthy(own_registry, model_server, start_gateway):
    gateway = start_gateway(own_registry, model_server.port)
    assert health(gateway, TINY) == SERVING
    shutil.rmtree(own_registry / TINY)
    assert until(lambda: health(gateway, TINY) == health(gateway, f"{TINY}/1") == NOT_SERVING)


def test_reflection_tells_the_api(gateway):
    with grpc.insecure_channel(gateway.address) as channel:
        services = ProtoReflectionDescriptorDatabase(channel).get_services()
    assert {"kerascope.v1.Inference", "grpc.health.v1.Health"} <= set(services)


def test_a_taken_port_is_said_so(gateway, registry, model_server, start_gateway):
    with pytest.raises(errors.BadConfig, match="taken"):
        start_gateway(registry, model_server.port, port=gateway.port)


def test_the_process_serves_until_it_is_told_to_stop(tmp_path):
    command = [sys.executable, "-m", "kerascope", "gateway", "--insecure", "--port", "0", "--registry", str(tmp_path)]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    try:
        said = next(line for line in process.stderr if "gateway on port" in line)
        with Client(f"localhost:{re.search(r'port ([0-9]+)', said).group(1)}") as client:
            assert client.models() == []
            with pytest.raises(errors.UnknownModel, match="registry is empty"):
                client.card(TINY)
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
    finally:
        process.kill()


def test_a_slow_model_server_is_a_timeout(registry, png, start_gateway):
    import socket

    with socket.create_server(("localhost", 0)) as silent:  # takes connections and says nothing
        gateway = start_gateway(registry, silent.getsockname()[1], request_timeout_s=0.5)
        with Client(gateway.address) as client, pytest.raises((errors.BackendTimeout, errors.ModelNotReady)):
            client.analyze(png, model=TINY)


@pytest.fixture
def stranded(registry: Path, start_gateway: Callable[..., Gateway]) -> Gateway:
    """A gateway whose model server is away."""
    return start_gateway(registry, 1)


def test_no_failure_tells_who_the_patient_is(stranded, client, png, make_dicom, monkeypatch, caplog):
    caplog.set_level(logging.DEBUG)
    heard = []
    with Client(stranded.address) as failing:
        failures = [(client, data) for data in refusals(png, make_dicom).values()]
        failures += [(failing, make_dicom()), (client, make_dicom()[:700]), (client, make_dicom(Rows=9999))]
        for asked, data in failures:
            with pytest.raises(errors.KerascopeError) as caught:
                asked.analyze(data, model=TINY)
            heard.append(str(caught.value))
        monkeypatch.setattr("serving.service.read", _bug)
        with pytest.raises(errors.InternalError) as caught:
            client.analyze(make_dicom(), model=TINY)
    heard.append(str(caught.value))
    for secret in ("DOE", "JANE", "SECRET-1", "19700102"):
        assert not [message for message in heard if secret in message]
        assert secret not in caplog.text


def _bug(data: bytes, **limits: int) -> None:
    import pydicom

    raise KeyError(f"bug in a file of {len(pydicom.dcmread(io.BytesIO(data)))} attributes")


@pytest.mark.real_data
@pytest.mark.skipif(not CT_SERIES.is_dir(), reason="../shared/data/ct_series is not here")
def test_a_real_ct_slice_is_refused_by_a_chest_model(client):
    slice_file = sorted(CT_SERIES.glob("CT.*"))[0]
    with pytest.raises(errors.ImageRefused, match="CT") as caught:
        client.analyze(slice_file.read_bytes(), model=TINY)
    assert caught.value.reason is Reason.WRONG_MODALITY


@pytest.mark.real_data
@pytest.mark.skipif(not CT_SERIES.is_dir(), reason="../shared/data/ct_series is not here")
def test_a_real_ct_slice_is_analysed_by_a_model_made_for_ct(tmp_path, export_tiny, start_model_server, start_gateway):
    bundle = export_tiny(tmp_path, modalities=("CT",))
    served = start_gateway(tmp_path, start_model_server(tmp_path).port)
    slice_file = sorted(CT_SERIES.glob("CT.*"))[0]
    with Client(served.address) as asking:
        asking.wait_until_ready(bundle.name)
        analysis = asking.analyze(slice_file.read_bytes(), model=bundle.name)
    assert (analysis.image.format, analysis.image.modality) == ("DICOM", "CT")
    assert (analysis.image.width, analysis.image.height) == (512, 512)
