"""What `kerascope predict` prints and writes."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow
from rich.console import Console

from serving.predict import drawn, predict, write_overlay
from serving.server import Gateway
from zoo import errors
from zoo.cards import Interval, OperatingPoint
from zoo.imaging.image import read
from zoo.imaging.overlay import heatmap, overlay
from zoo.results import Finding, Verdict


def finding(evidence: np.ndarray) -> Finding:
    return Finding(
        label="nodule", probability=0.5, logit=0, verdict=Verdict.UNRATED, operating_point=None, evidence=evidence
    )


def test_a_missing_file_is_said_so_before_anyone_is_asked(tmp_path: Path):
    with pytest.raises(errors.BadImage, match=r"none\.png cannot be read"):
        predict(tmp_path / "none.png", model="any", gateway="localhost:1")


@pytest.fixture
def file(tmp_path: Path, png: bytes) -> Path:
    (tmp_path / "chest.png").write_bytes(png)
    return tmp_path / "chest.png"


def printed(file: Path, gateway: Gateway, width: int = 80, **options: object) -> str:
    buffer = io.StringIO()
    predict(file, model="tiny-chest", gateway=gateway.address, console=Console(file=buffer, width=width), **options)
    return buffer.getvalue()


@pytest.mark.slow
def test_the_table_says_what_each_finding_is_worth_and_is_not_for(gateway, client, file):
    text = printed(file, gateway)
    analysis = client.analyze(file.read_bytes(), model="tiny-chest")
    for each in analysis.findings:
        (line,) = [line for line in text.splitlines() if line.strip().startswith(each.label)]
        assert f"{each.probability:.3f}" in line
        assert each.verdict.value in line
    for words in (
        "0.91",
        "0.85-0.95",
        "0.45-0.55",
        "Research use only",
        analysis.leading.place,
        "tiny-chest version 1",
    ):
        assert words in " ".join(text.split())
    assert "\u2026" not in text  # nothing is cut off at 80 characters


@pytest.mark.slow
def test_the_caution_stands_above_the_table_and_in_the_json(gateway, file, unusual):
    text = " ".join(printed(file, gateway).split())
    assert text.index(f"Caution. {unusual.message}") < text.index("finding")
    assert json.loads(printed(file, gateway, json=True))["caution"] == {
        "measure": "embedding",
        "ratio": 1.31,
        "refusal_ratio": 1.8,
        "share": 0.05,
        "message": unusual.message,
    }


@pytest.mark.slow
def test_the_overlay_is_the_leading_finding_over_its_picture_and_is_put_into_words(gateway, client, file, tmp_path):
    text = " ".join(printed(file, gateway, width=200, overlay=tmp_path / "out.png").split())
    leading = client.analyze(file.read_bytes(), model="tiny-chest").leading
    expected = overlay(read(file.read_bytes()).pixels, heatmap(leading.evidence)[0])
    written = np.asarray(Pillow.open(tmp_path / "out.png"))
    assert written.shape == (96, 80, 3)
    np.testing.assert_allclose(written.astype(int), expected, atol=2)  # one grey level of rounding
    assert f"the heat shows where the evidence for {leading.label} lies" in text
    assert "no outline" in text


def rated(probability: float) -> Finding:
    exact = Interval(value=0.9)
    point = OperatingPoint(threshold=0.4, not_sure=(0.3, 0.5), chosen_by="a test", sensitivity=exact, specificity=exact)
    return Finding(
        label="nodule",
        probability=probability,
        logit=0,
        verdict=Verdict.of(probability, point),
        operating_point=point,
        evidence=np.array([[0, 2], [-1, 0]], np.float32),
    )


def test_nothing_is_drawn_below_the_operating_point_unless_asked(tmp_path: Path):
    grey = np.full((40, 40), 90, np.uint8)
    Pillow.fromarray(grey).save(tmp_path / "in.png")
    for each, below, bare in ((rated(0.39), False, True), (rated(0.39), True, False), (rated(0.4), False, False)):
        write_overlay(tmp_path / "in.png", each, tmp_path / "out.png", below=below)
        written = np.asarray(Pillow.open(tmp_path / "out.png"))
        assert (written == 90).all() == bare
        assert drawn(each, below=below) != bare
    assert drawn(finding(np.ones((2, 2), np.float32)), below=False)  # no operating point to be below of


@pytest.mark.slow
def test_a_bare_overlay_is_put_into_words(gateway, client, file, tmp_path, monkeypatch):
    monkeypatch.setattr(
        "zoo.results.Analysis.leading", property(lambda analysis: analysis.findings[1])
    )  # always absent
    text = " ".join(printed(file, gateway, width=200, overlay=tmp_path / "out.png").split())
    assert "consolidation is below its operating point, so no heat is drawn. --below draws it" in text
    bare = np.asarray(Pillow.open(tmp_path / "out.png"))
    assert (bare == np.asarray(Pillow.open(file))[..., None]).all()
    answer = json.loads(printed(file, gateway, json=True, overlay=tmp_path / "out.png"))
    assert answer["overlay_label"] is None


@pytest.mark.slow
def test_json_holds_all_of_it_for_programs(gateway, client, file, tmp_path):
    answer = json.loads(printed(file, gateway, json=True, overlay=tmp_path / "out.png"))
    analysis = client.analyze(file.read_bytes(), model="tiny-chest")
    assert [each["label"] for each in answer["findings"]] == [each.label for each in analysis.findings]
    np.testing.assert_allclose(answer["findings"][1]["evidence"], analysis.findings[1].evidence, atol=1e-5)
    assert answer["findings"][0]["operating_point"]["sensitivity"] == {"value": 0.91, "low": 0.85, "high": 0.95}
    assert answer["findings"][4]["operating_point"] is None
    assert answer["leading"] == analysis.leading.label
    assert answer["provenance"]["model"] == "tiny-chest"
    assert answer["overlay"] == str(tmp_path / "out.png")
    assert answer["overlay_label"] == analysis.leading.label
    assert "Research use only" in answer["notice"]


@pytest.mark.slow
def test_an_overlay_that_cannot_be_written_is_said_so(gateway, file, tmp_path):
    with pytest.raises(errors.BadRequest, match="cannot be written"):
        predict(file, model="tiny-chest", gateway=gateway.address, overlay=tmp_path / "no" / "folder" / "out.png")
