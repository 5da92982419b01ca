"""`python -m benchmarks.gate`: the scores it compares, worked out by hand; its bars; and the whole of it, small."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image as Pillow

from benchmarks.gate import command, methods, sets
from benchmarks.gate.counting import CAUTIONED, REFUSED, Counted, Judged, Measured
from benchmarks.gate.methods import Features, Head, Method
from zoo import errors

HEAD = Head(np.eye(2), np.zeros(2), exclusive=True)


def embedded(*rows: tuple[float, float]) -> Features:
    embedding = np.array(rows, np.float64)
    return Features(embedding, embedding, embedding)


def test_the_nearest_neighbours_distance_is_the_one_worked_out_by_hand():
    # Of length one: (1, 0) and (0, 1); with two of them the farther counts. From (1, 0) that is sqrt(2); from
    # (1, 1) / sqrt(2) both are sqrt(2 - sqrt(2)) away.
    score = methods.neighbours(embedded((5, 0), (0, 2)), HEAD)
    np.testing.assert_allclose(score(embedded((3, 0), (4, 4))), [np.sqrt(2), np.sqrt(2 - np.sqrt(2))])


def test_the_energy_is_the_one_worked_out_by_hand():
    # exp z is 1 and 3: -log(1 + 3); apart -(log(1 + 1) + log(1 + 3)).
    one, each = HEAD, Head(np.eye(2), np.zeros(2), exclusive=False)
    logits = embedded((0, np.log(3)))
    assert methods.energy(logits, one)(logits) == pytest.approx(-np.log(4))
    assert methods.energy(logits, each)(logits) == pytest.approx(-np.log(8))


def test_vim_is_the_one_worked_out_by_hand():
    # W is the unit matrix and b = (1, 1), so o = (-1, -1), and x - o are the logits: (3, 0), (-3, 0), (0, 1), (0, -1).
    # Their principal axis is the first. |residual| is 0, 0, 1, 1 and max z is 3, 0, 1, 0: alpha = 1 / 0.5 = 2.
    # For x - o = (0, 2): 2 * 2 - log(1 + exp 2).
    head = Head(np.eye(2), np.ones(2), exclusive=True)
    score = methods.vim(embedded((2, -1), (-4, -1), (-1, 0), (-1, -2)), head)
    assert score(embedded((-1, 1))) == pytest.approx(4 - np.log(1 + np.exp(2)))


def test_limits_of_the_picture_are_set_by_images_of_other_patients():
    def fit(known: Features, head: Head) -> methods.Score:
        return lambda new: 1.0 - np.isin(new.embedding[:, 0], known.embedding[:, 0])

    images = embedded(*((patient, image) for patient in range(30) for image in range(2)))
    patients = [f"patient-{row // 2}" for row in range(60)]
    train, val = images.take(np.arange(50)), images.take(np.arange(50, 60))
    method = Method(name="seen before", fit=fit, of_picture=True)
    score, [limit] = method.limits(train, val, patients, HEAD, [0.01])
    assert limit.value == 1  # no image was measured by its own patient's other image
    assert limit.share == 1 / 31
    assert score(val).max() == 0  # the final statistics are of all


def test_limits_of_the_embedding_are_of_validation_alone():
    images = embedded(*((float(row), 0.0) for row in range(50)))
    method = Method(name="first", fit=lambda known, head: lambda new: new.embedding[:, 0])
    patients = [f"patient-{row}" for row in range(31)] + ["ten images"] * 10 + [f"other-{row}" for row in range(9)]
    # Ten patients, whose images count 1/10 each (31 to 40) and 1 each (41 to 49): 0.8 * (10 + 1) is reached at 48.
    _, [limit] = method.limits(images.take(np.arange(31)), images.take(np.arange(31, 50)), patients, HEAD, [0.2])
    assert limit.value == 48


def test_the_interval_is_clopper_and_pearsons():
    found = Counted.of(np.array([REFUSED, CAUTIONED, *[0] * 8]))
    assert (found.images, found.refused, found.caught) == (10, 1, 2)
    assert found.interval(0) == pytest.approx((0, 1 - 0.025**0.1))


def measured(own: Counted, stranger: Counted) -> Measured:
    service = Judged(name="in service", refusals=0.01, cautions=0.05, own=own, strangers={"films": stranger})
    return Measured(name="slides", embedding="its own", patients=9, folds=5, others=("films",), service=service)


def test_each_bar_that_fails_is_told():
    good, caught = Counted(1000, 12, 40), Counted(100, 95, 5)
    assert list(measured(good, caught).failures()) == []
    [own] = measured(Counted(1000, 18, 0), caught).failures()  # at least 1.07 %, by the interval
    assert own.startswith("slides: 18 of 1000 held-out images are refused, at least 1.07%")
    few, unheard = measured(good, Counted(100, 94, 5)).failures()
    assert few == "slides: 0.940 of films are refused; 0.95 is wanted."
    assert unheard == "slides: 1 of 100 films are answered without a caution."


@pytest.mark.parametrize(("mode", "channels"), [("L", 1), ("RGB", 3)])
def test_a_users_manifest_names_its_labels_and_its_pictures_say_whether_it_is_in_colour(tmp_path, mode, channels):
    for name in ("a", "b"):
        Pillow.new(mode, (64, 64), 90 if mode == "L" else (200, 60, 40)).save(tmp_path / f"{name}.png")
    table = tmp_path / "manifest.csv"
    pd.DataFrame({"file": ["a.png", "b.png"], "label": ["nevus", "melanoma"]}).to_csv(table, index=False)
    task = sets.of_user("skin", table).resolve_task()
    assert (task.labels, task.channels) == (("melanoma", "nevus"), channels)


def test_a_file_that_is_no_manifest_is_refused_with_what_to_give(tmp_path, capsys):
    with pytest.raises(errors.BadManifest, match=r"columns file and label. Give one, or a training file"):
        sets.of_user("skin", tmp_path / "nothing.csv")


def test_an_option_without_a_name_is_refused(capsys):
    with pytest.raises(SystemExit):
        command.main(["--set", "manifest.csv"])
    assert "'manifest.csv' is not NAME=VALUE" in capsys.readouterr().err


@pytest.mark.slow
def test_phantoms_are_measured_where_no_other_set_is_there(tmp_path: Path, capsys, monkeypatch):
    monkeypatch.setenv("KERASCOPE_DATA", str(tmp_path / "nowhere"))
    status = command.main(["--images", "60", "--out", str(tmp_path)])
    found = json.loads((tmp_path / "gate.json").read_text())
    said = capsys.readouterr().out
    assert "chest-xray is left out" in said
    [case] = found["cases"]
    assert status == int(bool(found["failures"]))
    assert case["folds"] == 5
    service, alone = case["service"], {method["name"]: method for method in case["methods"]}
    assert service["own"]["images"] == alone["energy"]["own"]["images"] > 40  # each image is held out once
    assert case["others"] == ["photographs"]
    assert service["strangers"]["photographs"]["refused"] >= 5 * 0.95 * 20
    assert set(service["strangers"]) > {"noise", "its negatives", "its vertical flips", "its quarter crops"}
    assert {"texture", "layout", "both: the gate", "5 nearest neighbours", "Mahalanobis, before"} < set(alone)
    assert "ViM" not in alone  # findings do not exclude each other
