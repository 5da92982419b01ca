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
    assert card.gate == found.gate
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


@pytest.mark.slow
def test_the_bundle_holds_the_test_split_as_the_model_saw_it_and_no_picture_unasked(bundle, evaluated, tmp_path):
    from training.publish import export_run
    from zoo.reference_set import ReferenceSet

    held = ReferenceSet.from_bytes(bundle.reference_set())
    test = evaluated.split("test")
    np.testing.assert_array_equal(held.truth, test.labels)
    assert (len(held), held.of, held.has_pictures) == (len(test), len(test), False)
    # The place of each picture is where the directions put its features, but for the float16 of the file.
    again = (held.embedding.astype("float32") - held.centre) @ held.directions.T
    np.testing.assert_allclose(again, held.pca, atol=0.01 * np.abs(held.pca).max())
    assert held.evidence.shape[1:3] == bundle.card.evidence_grid

    asked_for = ReferenceSet.from_bytes(export_run(evaluated, tmp_path, pictures=True).reference_set())
    assert asked_for.pixels.shape == (len(test), 112, 112)
