import numpy as np
import pytest

from training.evaluation import Evaluation


@pytest.fixture(scope="module")
def bundle(evaluated, tmp_path_factory):
    from training.publish import export_run

    return export_run(evaluated, tmp_path_factory.mktemp("registry"))


@pytest.mark.slow
def test_the_card_says_what_the_run_and_its_evaluation_say(bundle, evaluated):
    found = Evaluation.read(evaluated.path)
    card = bundle.card
    assert (card.name, card.version, card.label_names) == ("spots-multilabel", 1, ("bright", "dark"))
    assert card.labels == found.card_labels
    assert card.calibration == found.calibration
    assert card.reference_embedding == found.reference_embedding
    assert card.licence == "CC0-1.0"
    assert card.training.config["backbone"] == "small-cnn"
    assert card.data.images == {name: len(evaluated.split(name)) for name in ("train", "val", "test")}
    assert card.data.patients == {name: n // 2 for name, n in card.data.images.items()}  # two images each
    assert sum(card.data.images.values()) == 120


@pytest.mark.slow
def test_the_bundle_is_whole_and_names_no_patient_and_no_folder(bundle, evaluated):
    bundle.verify()
    text = bundle.card.to_json()
    assert "DOE" not in text
    assert str(evaluated.path.parent) not in text


@pytest.mark.slow
def test_what_is_served_is_what_was_measured(bundle, evaluated):
    # The served probabilities, cut at the card's threshold, give the sensitivity that the card states.
    import tensorflow as tf

    served = tf.saved_model.load(str(bundle.path)).signatures["serving_default"]
    probability = served(image=tf.constant(evaluated.pixels("test")))["probability"].numpy()
    truth = evaluated.split("test").labels
    for column, label in enumerate(bundle.card.labels):
        assert label.operating_point is not None
        found = probability[truth[:, column] == 1, column] >= label.operating_point.threshold
        assert label.operating_point.sensitivity.value == pytest.approx(np.mean(found))


@pytest.mark.slow
def test_a_run_goes_out_as_onnx_with_the_bundles_card(bundle, evaluated, tmp_path):
    pytest.importorskip("tf2onnx")
    from training.publish import export_run_to_onnx
    from zoo.cards import ModelCard

    path, card = export_run_to_onnx(evaluated, tmp_path / "spots.onnx")
    assert path.is_file()
    said = ModelCard.read(card)
    assert (said.name, said.labels, said.calibration) == (bundle.name, bundle.card.labels, bundle.card.calibration)
