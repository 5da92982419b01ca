"""The bundle's contract, on four families of backbones."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image as Pillow
from tensorflow_serving.apis import prediction_log_pb2

from zoo import bundles, errors, export
from zoo.bundles import Bundle, Registry
from zoo.cards import Calibration, ModelCard
from zoo.explain import methods
from zoo.imaging import image as imaging
from zoo.imaging.preprocess import preprocess
from zoo.models import classifier
from zoo.results import Method
from zoo.signatures import decode_batch
from zoo.tasks import Kind

pytestmark = pytest.mark.slow

WARMUP = f"{bundles.EXTRA}/tf_serving_warmup_requests"
KERAS = Path(__file__).parents[2] / "../shared/keras"
REAL = "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_0.35_224_no_top.h5"


@dataclass(frozen=True)
class Case:
    backbone: str
    size: int
    channels: int
    kind: Kind
    labels: int
    calibration: Calibration


CASES = [
    Case("mobilenetv2-0.35", 96, 1, Kind.MULTILABEL, 3, Calibration(method="temperature", temperature=(0.7, 1.3, 2.0))),
    Case("densenet121", 64, 3, Kind.MULTICLASS, 3, Calibration(method="temperature", temperature=(1.7,))),
    Case("resnet50", 64, 3, Kind.BINARY, 1, Calibration(method="platt", slope=(1.2,), intercept=(-0.3,))),
    Case("inceptionv3", 128, 1, Kind.ORDINAL, 4, Calibration()),
]


@dataclass(frozen=True)
class Exported:
    """A network, its bundle read back twice (as SavedModel and as Keras file), and its answer to a batch of three."""

    model: keras.Model
    bundle: Bundle
    loaded: object
    again: keras.Model
    images: np.ndarray
    answers: dict[str, np.ndarray]

    def ask(self, signature: str, **inputs: object) -> dict[str, np.ndarray]:
        tensors = {name: tf.constant(value) for name, value in inputs.items()}
        return {name: value.numpy() for name, value in self.loaded.signatures[signature](**tensors).items()}


@pytest.fixture(scope="module", params=CASES, ids=lambda case: case.backbone)
def exported(request, tmp_path_factory, make_network, make_card, make_images) -> Exported:
    case: Case = request.param
    with pytest.MonkeyPatch.context() as patch:
        real = case.backbone.startswith("mobilenetv2") and (KERAS / "models" / REAL).is_file()
        patch.setattr("keras.src.backend.config._KERAS_DIR", str(KERAS.resolve()))
        weights = "imagenet" if real else "none"
        model = make_network(case.backbone, size=case.size, channels=case.channels, labels=case.labels, weights=weights)
    card = make_card(model, case.kind, case.calibration, backbone=case.backbone)
    bundle = export.export(model, card, tmp_path_factory.mktemp("registry"), batch_sizes=(1, 2))
    loaded = tf.saved_model.load(str(bundle.path))
    images = make_images(case.size, case.size, case.channels)
    answers = {name: value.numpy() for name, value in loaded.signatures["analyze"](image=tf.constant(images)).items()}
    again = keras.models.load_model(bundle.keras_path, compile=False)
    return Exported(model, bundle, loaded, again, images, answers)


def close(found: np.ndarray, wanted: np.ndarray, scale: np.ndarray | None = None) -> None:
    """Equal to 3e-4 of the largest value, which float32 sums in another order keep, on SSE4.1 and on AVX-512.

    A logit is the mean of evidence of both signs, so its `scale` is the evidence: near zero, digits cancel.
    """
    largest = float(np.abs(wanted if scale is None else scale).max())
    np.testing.assert_allclose(found, wanted, rtol=0, atol=3e-4 * largest)


def all_close(found: dict[str, np.ndarray], wanted: dict[str, np.ndarray]) -> None:
    scale = {"logit": wanted["evidence"], "probability": np.ones(1)}
    for name, value in found.items():
        close(value, wanted[name], scale.get(name))


def test_the_pictures_are_told_apart(exported: Exported):
    """Else every comparison below would hold for a network that answers the same to everything."""
    logits, maps = exported.answers["logit"], exported.answers["evidence"]
    assert np.ptp(logits, axis=0).max() > 1e-3
    assert np.ptp(maps, axis=(1, 2)).min() > 1e-3


def test_the_evidence_equals_grad_cam_of_tf_keras_vis_on_the_same_layer(exported: Exported):
    maps = np.maximum(exported.answers["evidence"][0], 0) / np.prod(exported.bundle.card.evidence_grid)
    assert maps.max() > 0
    for label in range(maps.shape[-1]):
        reference = methods.explain(exported.again, exported.images[0], method=Method.GRAD_CAM, label=label)
        np.testing.assert_allclose(maps[..., label], reference, rtol=0, atol=3e-4 * maps.max())


def test_the_evidence_averages_to_the_logit(exported: Exported):
    bias = classifier.head(exported.model).get_weights()[1]
    evidence = exported.answers["evidence"]
    close(evidence.mean(axis=(1, 2)) + bias, exported.answers["logit"], evidence)


def test_a_batch_gives_what_its_pictures_give_alone(exported: Exported):
    for index, image in enumerate(exported.images):
        alone = exported.ask("analyze", image=image[None])
        all_close(alone, {name: value[index : index + 1] for name, value in exported.answers.items()})


def test_the_saved_model_equals_the_keras_model_read_back(exported: Exported):
    pixels = exported.images.astype(np.float32)
    close(exported.answers["logit"], exported.again(pixels, training=False).numpy(), exported.answers["evidence"])
    close(exported.answers["embedding"], classifier.split_head(exported.again)(pixels, training=False).numpy())


def test_the_three_signatures_have_the_names_types_and_shapes_of_the_design(exported: Exported):
    card, batch = exported.bundle.card, len(exported.images)
    shapes = {
        "probability": (batch, len(card.labels)),
        "logit": (batch, len(card.labels)),
        "evidence": (batch, *card.evidence_grid, len(card.labels)),
        "embedding": (batch, card.embedding_size),
    }
    assert {name: value.shape for name, value in exported.answers.items()} == shapes
    assert {value.dtype for value in exported.answers.values()} == {np.dtype(np.float32)}
    assert set(exported.loaded.signatures) == {"serving_default", "analyze", "analyze_encoded"}
    spec = exported.loaded.signatures["analyze"].structured_input_signature[1]["image"]
    assert (spec.dtype, spec.shape.as_list()) == (tf.uint8, [None, *exported.images.shape[1:]])


def test_serving_default_gives_the_numbers_of_analyze(exported: Exported):
    short = exported.ask("serving_default", image=exported.images)
    assert set(short) == {"probability", "logit"}
    all_close(short, exported.answers)


def test_probabilities_are_calibrated_as_the_card_says(exported: Exported):
    wanted = export.calibrated(exported.answers["logit"], exported.bundle.card)
    np.testing.assert_allclose(exported.answers["probability"], wanted, rtol=1e-4, atol=1e-6)


def test_an_encoded_picture_gives_what_the_decoded_one_gives(exported: Exported):
    files = [encode(image, "PNG") for image in exported.images]
    all_close(exported.ask("analyze_encoded", encoded=files), exported.answers)


def test_the_weights_are_stored_once(exported: Exported):
    stored = sum(path.stat().st_size for path in (exported.bundle.path / "variables").iterdir())
    weights = 4 * exported.model.count_params()
    assert weights < stored <= 1.2 * weights
    assert exported.bundle.keras_path.stat().st_size <= 1.5 * weights


def test_every_warm_up_request_is_answered(exported: Exported):
    asked = set()
    for record in tf.data.TFRecordDataset(str(exported.bundle.path / WARMUP)).as_numpy_iterator():
        request = prediction_log_pb2.PredictionLog.FromString(record).predict_log.request
        inputs = {name: tf.make_ndarray(proto) for name, proto in request.inputs.items()}
        answers = exported.ask(request.model_spec.signature_name, **inputs)
        assert request.model_spec.name == exported.bundle.card.name
        asked.add((request.model_spec.signature_name, len(answers["logit"])))
    assert asked == {(name, batch) for name in exported.loaded.signatures for batch in (1, 2)}


def test_the_bundle_is_sealed_and_its_card_filled_in(exported: Exported):
    exported.bundle.verify()
    card = exported.bundle.card
    assert card.version == 1
    assert card.weights_sha256 == bundles.sha256_of(exported.bundle.path / bundles.WEIGHTS)
    assert (exported.bundle.path / "assets.extra").stat().st_mode & 0o055 == 0o055


# The rest needs no particular network.


@pytest.fixture(scope="module")
def small(make_network: Callable[..., keras.Model]) -> keras.Model:
    return make_network("small-cnn", size=32, channels=1, labels=2)


@pytest.fixture(scope="module")
def small_card(small: keras.Model, make_card: Callable[..., ModelCard]) -> ModelCard:
    return make_card(small, Kind.MULTILABEL)


def encode(pixels: np.ndarray, kind: str, mode: str | None = None) -> bytes:
    squeezed = pixels[..., 0] if pixels.shape[-1] == 1 else pixels
    picture = Pillow.fromarray(squeezed)
    file = io.BytesIO()
    (picture.convert(mode) if mode else picture).save(file, kind)
    return file.getvalue()


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(
    ("kind", "mode", "size"),
    [
        ("PNG", "L", (300, 200)),
        ("PNG", "RGB", (40, 50)),
        ("PNG", "RGBA", (150, 260)),
        ("PNG", "LA", (150, 60)),
        ("PNG", "P", (150, 60)),
        ("PNG", "I;16", (150, 60)),
        ("JPEG", "L", (300, 200)),
        ("JPEG", "RGB", (200, 301)),
    ],
)
def test_pictures_of_other_sizes_are_decoded_as_pillow_does_to_one_grey_level(
    small_card: ModelCard, kind: str, mode: str, size: tuple[int, int], channels: int
):
    colour = np.random.default_rng(0).integers(0, 256, (*size, 4), dtype=np.uint8)
    if mode == "I;16":
        data = encode(np.random.default_rng(0).integers(0, 1 << 16, (*size, 1), dtype=np.uint16), kind)
    else:
        data = encode(colour if mode in ("RGBA", "LA") else colour[..., :3], kind, mode)
    spec = small_card.input.model_copy(update={"channels": channels})
    wanted = preprocess(imaging.read(data), spec)
    found = decode_batch(tf.constant([data, data]), spec).numpy()
    assert found.dtype == np.uint8
    assert np.abs(found[1].astype(int) - wanted).max() <= 1


def test_versions_count_up(small: keras.Model, small_card: ModelCard, tmp_path: Path):
    first = export.export(small, small_card, tmp_path, batch_sizes=(1,))
    second = export.export(small, small_card.model_copy(update={"version": 9}), tmp_path, batch_sizes=(1,))
    assert (first.version, second.version) == (1, 2)
    assert second.card.version == 2
    assert Registry(tmp_path).versions("net") == [1, 2]


def test_a_version_number_that_something_lies_under_is_passed_over(
    small: keras.Model, small_card: ModelCard, tmp_path: Path
):
    (tmp_path / "net/1").mkdir(parents=True)
    (tmp_path / "net/1/half").write_text("damaged")
    bundle = export.export(small, small_card, tmp_path, batch_sizes=(1,))
    assert bundle.version == bundle.card.version == 2
    bundle.verify()


def test_a_crash_leaves_no_half_bundle(
    small: keras.Model, small_card: ModelCard, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    seen: list[Path] = []

    def crash(path: Path, *_: object) -> None:
        seen.extend(path.parents[2].iterdir())
        raise RuntimeError("the power went")

    monkeypatch.setattr(export, "write_warmup", crash)
    with pytest.raises(RuntimeError, match="the power went"):
        export.export(small, small_card, tmp_path)
    assert [path.name[:5] for path in seen] == [".tmp-"]  # no number, so TensorFlow Serving passes it over
    assert list((tmp_path / "net").iterdir()) == []


def test_a_card_of_another_model_is_refused_and_each_difference_named(
    small: keras.Model, small_card: ModelCard, tmp_path: Path
):
    wrong = small_card.model_copy(update={"embedding_size": 5, "evidence_grid": (7, 7)})
    with pytest.raises(errors.BadConfig, match=r"evidence_grid is \(2, 2\) in the model.*embedding_size is 96"):
        export.export(small, wrong, tmp_path)
    assert not (tmp_path / "net").exists()


def test_a_registry_that_cannot_be_written_is_a_plain_error(small: keras.Model, small_card: ModelCard, tmp_path: Path):
    (tmp_path / "file").write_text("")
    with pytest.raises(errors.BadConfig, match="cannot be written"):
        export.export(small, small_card, tmp_path / "file")


def test_a_compiled_model_leaves_its_optimiser_behind(small: keras.Model, small_card: ModelCard, tmp_path: Path):
    trained = keras.models.clone_model(small)
    trained.compile("adam", "mse")
    trained.optimizer.build(trained.trainable_variables)
    bundle = export.export(trained, small_card, tmp_path, batch_sizes=(1,))
    assert not keras.models.load_model(bundle.keras_path).compiled
    assert bundle.keras_path.stat().st_size <= 1.5 * 4 * small.count_params()


def test_export_says_nothing(
    small: keras.Model, small_card: ModelCard, tmp_path: Path, capfd: pytest.CaptureFixture[str], recwarn
):
    export.export(small, small_card, tmp_path, batch_sizes=(1,))
    captured = capfd.readouterr()
    assert captured.out == ""
    assert "Assets written" not in captured.err
    assert [str(warning.message) for warning in recwarn if issubclass(warning.category, UserWarning)] == []
