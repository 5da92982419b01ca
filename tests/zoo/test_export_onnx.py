"""An ONNX file answers as the model it came from, or is not there."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from zoo import export_onnx as onnx_exit
from zoo.bundles import sha256_of
from zoo.calibration import calibrated
from zoo.cards import Calibration, Kind, ModelCard
from zoo.errors import BadConfig
from zoo.signatures import ANALYZE, Served

pytest.importorskip("onnxruntime")
pytest.importorskip("tf2onnx")
pytestmark = pytest.mark.slow

TEMPERATURES = Calibration(method="temperature", temperature=(0.7, 1.3))


@pytest.fixture(scope="module", params=["small-cnn", "mobilenetv2-0.35"])
def exported(request, tmp_path_factory, make_network, make_card):
    """The network, its card, and the file."""
    model = make_network(request.param, size=64, channels=1, labels=2)
    card = make_card(model, Kind.MULTILABEL, TEMPERATURES, backbone=request.param)
    path = tmp_path_factory.mktemp("onnx") / "spots.onnx"
    onnx_exit.export_onnx(model, card, path)
    return model, card, path


def asked(path: Path, images: np.ndarray) -> dict[str, np.ndarray]:
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(None, {"image": images}), strict=True))


def test_onnx_runtime_gives_what_the_signature_analyze_gives(exported, make_images):
    model, card, path = exported
    images = make_images(64, 64, 1)
    expected = Served(model, card).functions[ANALYZE](tf.constant(images))
    found = asked(path, images)
    assert set(found) == set(expected) == {"probability", "logit", "evidence", "embedding"}
    for name, tensor in expected.items():
        scale = max(1.0, float(np.abs(expected["evidence"]).max()))
        np.testing.assert_allclose(found[name], tensor.numpy(), rtol=0, atol=1e-4 * scale, err_msg=name)
    np.testing.assert_allclose(found["probability"], calibrated(found["logit"], card), atol=1e-5)


def test_the_card_beside_it_knows_the_file_by_its_sha256(exported):
    _, card, path = exported
    beside = ModelCard.read(onnx_exit.card_path(path))
    assert (beside.name, beside.label_names) == (card.name, card.label_names)
    assert beside.weights_sha256 == sha256_of(path)


def test_the_file_says_for_what_it_is(exported):
    import onnx

    properties = {entry.key: entry.value for entry in onnx.load(exported[2]).metadata_props}
    assert "Research use only" in properties["notice"]


def test_a_file_that_answers_otherwise_is_found_out(exported):
    model, card, path = exported
    analyze = Served(model, card).functions[ANALYZE]
    with pytest.raises(BadConfig, match=r"ONNX Runtime's \w+ is off by"):
        onnx_exit.check(path, lambda images: analyze(255 - images), card)


def test_a_file_that_fails_its_check_leaves_the_old_one_and_nothing_else(exported, tmp_path, monkeypatch):
    model, card, _ = exported
    path = tmp_path / "spots.onnx"
    path.write_bytes(b"the old one")
    monkeypatch.setattr(onnx_exit, "TOLERANCE", -1.0)  # no answer is as good as that
    with pytest.raises(BadConfig, match="the file was not kept"):
        onnx_exit.export_onnx(model, card, path)
    assert [file.name for file in tmp_path.iterdir()] == ["spots.onnx"]
    assert path.read_bytes() == b"the old one"


@pytest.mark.parametrize(("name", "said"), [("spots.pb", "ends in .onnx"), ("file/spots.onnx", "cannot be written")])
def test_a_place_that_will_not_do_is_refused(exported, tmp_path, name, said):
    model, card, _ = exported
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(BadConfig, match=said):
        onnx_exit.export_onnx(model, card, tmp_path / name)
