"""The gate on real servers: a chest model is sent what it was not made for, and gives no number.

The model is the phantoms' of `releases/`, trained on 509 phantoms of other people; its card's limits are set here on
phantoms that it has not seen, as `kerascope evaluate` sets them.
"""

from __future__ import annotations

import io
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path

import grpc
import numpy as np
import pytest
from PIL import Image
from scipy import stats

from serving.client import Client
from tests.conftest import TINY
from tests.serving import phantom_strangers as strangers
from tests.serving.conftest import dicom, picture
from zoo import errors
from zoo.bundles import Bundle, write_checksums
from zoo.cards import ModelCard
from zoo.errors import Reason
from zoo.imaging.image import read_file
from zoo.imaging.preprocess import preprocess

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]
SHARED = ROOT / "../shared/data"


def of_split(
    said: dict[str, np.ndarray], pixels: np.ndarray
) -> tuple[dict[str, object], dict[str, np.ndarray], dict[str, list[str]]]:
    """The phantoms, one of each patient, as a run's three splits."""
    from training.outputs import Outputs

    parts = {"train": slice(0, 64), "val": slice(64, 96), "test": slice(96, None)}
    outputs = {
        name: Outputs(said["logit"][part], said["embedding"][part], said["evidence"][part])
        for name, part in parts.items()
    }
    patients = {name: [f"{row}" for row in range(len(pixels))[part]] for name, part in parts.items()}
    return outputs, {name: pixels[part] for name, part in parts.items()}, patients


@pytest.fixture(scope="module")
def phantoms(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    from training.datasets.phantoms import generate

    folder = tmp_path_factory.mktemp("phantoms") / "set"
    generate(folder, patients=120, images_per_patient=(1, 1), size=160, seed=11, workers=1)
    return sorted((folder / "images").iterdir())


@pytest.fixture(scope="module")
def chest(tmp_path_factory: pytest.TempPathFactory, phantoms: list[Path]) -> Iterator[Client]:
    """A client of a gateway whose model knows where its images lie."""
    from tests.conftest import _start_gateway, _start_model_server

    registry = tmp_path_factory.mktemp("registry")
    bundle = unpacked(registry)
    limited(bundle, phantoms)
    server = _start_model_server(registry)
    gateway = _start_gateway(registry, server.port)
    with Client(gateway.address) as client:
        client.wait_until_ready(TINY)
        yield client
    gateway.stop(0)
    server.stop(0)


def unpacked(registry: Path) -> Bundle:
    with tarfile.open(ROOT / "releases" / "phantoms-1.tar.gz") as archive:
        archive.extractall(registry, filter="data")
    (registry / "phantoms").rename(registry / TINY)
    return Bundle(registry / TINY / "1")


def limited(bundle: Bundle, phantoms: list[Path]) -> None:
    """Writes a card with limits into a bundle."""
    import tensorflow as tf

    from training.gate_fitting import fit_gate

    file = bundle.path / "assets.extra" / "card.json"
    card = ModelCard.read(file)
    pixels = np.stack([preprocess(read_file(path), card.input) for path in phantoms])
    analyze = tf.saved_model.load(str(bundle.path)).signatures["analyze"]
    said = {name: value.numpy() for name, value in analyze(image=tf.constant(pixels)).items()}
    spec = card.input.model_copy(update={"body_parts": ("CHEST",), "views": ("PA", "AP")})
    found = card.model_copy(update={"name": TINY, "input": spec, "gate": fit_gate(*of_split(said, pixels))})
    file.write_text(found.to_json())
    write_checksums(bundle.path)


def test_phantoms_of_others_are_answered(chest, phantoms):
    found = chest.card(TINY).gate
    assert found.tested.images == 24
    # Of 24 images, more refusals or cautions than this come once in a thousand times where the promises are kept.
    assert found.tested.refused <= stats.binom.ppf(0.999, 24, found.refusal_share)
    assert found.tested.refused + found.tested.cautioned <= stats.binom.ppf(0.999, 24, found.caution_share)
    assert sum(answered(chest, path) for path in phantoms[96:]) == 24 - found.tested.refused


def answered(client: Client, path: Path) -> bool:
    try:
        return bool(client.analyze(path.read_bytes(), model=TINY).findings)
    except errors.ImageRefused:
        return False


@pytest.mark.parametrize("draw", [strangers.ankle, strangers.lateral, strangers.photo, strangers.noise])
def test_a_stranger_is_refused_though_its_file_says_nothing_against_it(draw: Callable[[int], np.ndarray], chest):
    for seed in range(4):
        for data in (picture("PNG", draw(seed)), dicom(draw(seed))):
            with pytest.raises(errors.ImageRefused) as caught:
                chest.analyze(data, model=TINY)
            assert caught.value.reason is Reason.OUT_OF_DISTRIBUTION


def test_a_negative_is_refused_as_one(chest, phantoms):
    for path in phantoms[96:100]:
        with pytest.raises(errors.ImageRefused) as caught:
            chest.analyze(picture("PNG", 255 - read_file(path).pixels), model=TINY)
        assert caught.value.reason is Reason.INVERTED


def outcome(client: Client, pixels: np.ndarray) -> str:
    """`answered`, `cautioned` or `refused`."""
    try:
        analysis = client.analyze(picture("PNG", pixels), model=TINY)
    except errors.ImageRefused:
        return "refused"
    if analysis.caution is None:
        return "answered"
    assert analysis.caution.ratio > 1
    assert "Unusual for this model" in analysis.caution.message
    return "cautioned"


def test_with_less_and_less_contrast_a_picture_is_answered_then_cautioned_then_refused(chest, phantoms):
    pixels = read_file(phantoms[1]).pixels.astype(np.float64)
    faded = [(pixels + share * (pixels.mean() - pixels)).astype(np.uint8) for share in np.arange(0, 0.6, 0.01)]
    seen = [outcome(chest, picture) for picture in faded]
    order = ["answered", "cautioned", "refused"]
    assert list(dict.fromkeys(seen)) == order
    assert seen == sorted(seen, key=order.index)


def test_what_the_file_says_is_believed_first(chest):
    for attributes, reason in (
        ({"BodyPartExamined": "ANKLE"}, Reason.WRONG_BODY_PART),
        ({"ViewPosition": "LL"}, Reason.WRONG_VIEW),
        ({"Modality": "CT"}, Reason.WRONG_MODALITY),
    ):
        with pytest.raises(errors.ImageRefused) as caught:
            chest.analyze(dicom(strangers.ankle(0), **attributes), model=TINY)
        assert caught.value.reason is reason


def test_a_refusal_carries_a_reason_and_no_answer(chest):
    from serving.proto.kerascope.v1 import inference_pb2 as pb
    from serving.proto.kerascope.v1 import inference_pb2_grpc

    stub = inference_pb2_grpc.InferenceStub(grpc.insecure_channel(chest.address))
    request = pb.AnalyzeRequest(model=pb.ModelRef(name=TINY), image=picture("PNG", strangers.noise(0)))
    with pytest.raises(grpc.RpcError) as caught:
        stub.Analyze(request, timeout=20)
    assert ("kerascope-reason", "OUT_OF_DISTRIBUTION") in [tuple(pair) for pair in caught.value.trailing_metadata()]
    assert "learnt from" in caught.value.details()
    assert "probability" not in caught.value.details()


def test_no_map_is_made_of_a_stranger_either(chest):
    with pytest.raises(errors.ImageRefused):
        chest.explain(picture("PNG", strangers.noise(0)), model=TINY, method="grad-cam")


@pytest.mark.real_data
@pytest.mark.skipif(not SHARED.is_dir(), reason="../shared/data is not here")
def test_real_pictures_of_other_things_are_refused(chest):
    ultrasound = sorted((SHARED / "breast_ultrasound" / "benign").iterdir())[:10]
    slices = sorted((SHARED / "ct_series").glob("CT*"))[:5]
    for path in (*ultrasound, *slices):
        pixels = read_file(path).pixels
        buffer = io.BytesIO()
        Image.fromarray(pixels).convert("L").save(buffer, "PNG")  # without what a DICOM file says of it
        with pytest.raises(errors.ImageRefused):
            chest.analyze(buffer.getvalue(), model=TINY)
