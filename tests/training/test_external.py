import numpy as np
import pandas as pd
import pytest
from PIL import Image

from training.evaluation import Evaluation
from zoo import errors

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def elsewhere(evaluated, tmp_path_factory):
    """A bundle of the run, and the run's own test split as a manifest from elsewhere, with one blank picture more."""
    from training.publish import export_run

    folder = evaluated.config.manifest.parent
    table = pd.read_csv(evaluated.config.manifest)
    sides = dict(zip((path.name for path in evaluated.images().files), evaluated.images().splits, strict=True))
    table = table[[sides[name] == "test" for name in table["file"]]].assign(sex="F")
    table.iloc[::2, table.columns.get_loc("sex")] = "M"
    Image.fromarray(np.full((64, 64), 90, np.uint8)).save(folder / "blank.png")
    blank = {"file": "blank.png", "patient_id": "nobody", "bright": 1, "dark": 0}
    pd.concat([table, pd.DataFrame([blank])]).to_csv(folder / "elsewhere.csv", index=False)
    bundle = export_run(evaluated, tmp_path_factory.mktemp("registry"))
    return bundle, folder / "elsewhere.csv"


def test_a_bundle_says_of_the_test_split_what_its_run_said(elsewhere, evaluated, tmp_path):
    from training.external import External, evaluate_bundle
    from training.predictions import Predictions

    bundle, table = elsewhere
    found = evaluate_bundle(bundle.path.parent, table, tmp_path, prevalence={"dark": 0.01})
    run = Evaluation.read(evaluated.path)
    assert found.refused == {"BLANK": 1}
    assert found.unusual == run.gate.tested.cautioned
    assert run.gate.tested.refused == 0
    assert found.scores.images == run.test_images
    assert found.scores.macro_auroc.value == pytest.approx(run.macro_auroc.value)
    assert found.scores.accuracy.value == pytest.approx(run.accuracy.value)
    assert found.scores.ece == pytest.approx(run.calibration.ece_after, abs=1e-4)
    assert found.ece_card == run.calibration.ece_after
    for here, there in zip(found.scores.labels, run.labels, strict=True):
        assert here.sensitivity.value == pytest.approx(there.metrics.sensitivity.value)
        assert here.pointing_game.value == pytest.approx(there.metrics.pointing_game.value)
    assert {group.value for group in found.subgroups} == {"F", "M"}
    assert [value.prevalence for value in found.predictive_values if value.stated] == [0.01]
    assert External.model_validate_json((tmp_path / "external.json").read_bytes()) == found
    own = Predictions.read(evaluated.path / "evaluation" / "predictions.csv")
    np.testing.assert_allclose(Predictions.read(tmp_path / "predictions.csv").logits, own.logits, atol=1e-4)
    page = (tmp_path / "report.html").read_text()
    for words in ("Here, and on its own test split", "refuses 1 BLANK", "Research use only"):
        assert words in page
    assert all(b"DOE" not in path.read_bytes() for path in tmp_path.iterdir())


def test_the_manifest_that_it_was_made_from_is_refused(elsewhere, evaluated):
    from training import external, pipeline, splits
    from training.manifest import read

    bundle, table = elsewhere
    whole = splits.with_known_labels(read(table, evaluated.task))
    data = bundle.card.data.model_copy(update={"fingerprint": pipeline.fingerprint(whole)})
    object.__setattr__(bundle, "card", bundle.card.model_copy(update={"data": data}))
    with pytest.raises(errors.BadRequest, match="made from these very images"):
        external.answer(bundle, table)
