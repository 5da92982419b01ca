"""What `kerascope predict` does with a folder."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import CliRunner

import kerascope
from serving.client import ImageAnswer
from serving.predict_many import Results, files, predict_many, words
from serving.server import Gateway
from serving.store.store import Store
from zoo import errors
from zoo.errors import Reason

TINY = "tiny-chest"


@pytest.fixture
def folder(tmp_path: Path, make_png, make_dicom) -> Path:
    """Three pictures, one of them in a folder within, and a CT, which the model was not made for."""
    (tmp_path / "in" / "more").mkdir(parents=True)
    for seed in range(2):
        (tmp_path / "in" / f"{seed}.png").write_bytes(make_png(seed))
    (tmp_path / "in" / "more" / "2.png").write_bytes(make_png(2))
    (tmp_path / "in" / "ct.dcm").write_bytes(make_dicom(Modality="CT"))
    (tmp_path / "in" / ".hidden").write_bytes(b"")
    return tmp_path / "in"


def printed(paths: list[Path], gateway: Gateway, **options: object) -> str:
    buffer = io.StringIO()
    console = Console(file=buffer, width=200)
    predict_many(paths, model=TINY, gateway=gateway.address, console=console, **options)
    return buffer.getvalue()


def test_a_folder_is_its_files_each_once(folder: Path):
    found = files([folder / "0.png", folder])
    assert [path.name for path in found] == ["0.png", "1.png", "ct.dcm", "2.png"]
    (folder / "empty").mkdir()
    with pytest.raises(errors.BadRequest, match="no file in"):
        files([folder / "empty"])


def test_a_name_on_the_stream_says_nothing_of_the_path():
    results, other = Results(model="m", version=0), Results(model="m", version=0)
    names = {results.image_id("DOE^JANE.dcm"), results.image_id("2.dcm"), other.image_id("2.dcm")}
    assert len(names) == 3
    assert all(len(name) == 32 and name.isalnum() for name in names)


def refusal(sequence: int = 0) -> ImageAnswer:
    return ImageAnswer(image_id="x", error=errors.BadImage("No.", Reason.DAMAGED), sequence=sequence)


def test_results_go_on_where_they_were_and_ask_again_what_nobody_answered(tmp_path: Path):
    path = tmp_path / "results.jsonl"
    first = Results.begun(path, "m", 0)
    first.add("a.png", refusal(7))
    first.add("b.png", ImageAnswer(image_id="y", error=errors.ModelNotReady("Away.")))
    with path.open("a") as file:
        file.write('{"file": "c.png", "seq')  # where the power was cut
    again = Results.begun(path, "m", 0)
    assert (again.stream_id, again.answered, again.after) == (first.stream_id, {"a.png"}, 7)
    again.add("c.png", refusal())
    assert [json.loads(line).get("file") for line in path.read_text().splitlines()] == [None, "a.png", "b.png", "c.png"]


def test_results_that_do_not_fit_are_said_so(tmp_path: Path):
    path = tmp_path / "results.jsonl"
    Results.begun(path, "m", 0)
    with pytest.raises(errors.BadRequest, match="answers of m version 0"):
        Results.begun(path, "other", 0)
    path.write_text("notes\n")
    with pytest.raises(errors.BadRequest, match="no file of results"):
        Results.begun(path, "m", 0)
    with pytest.raises(errors.BadRequest, match="cannot be written"):
        Results.begun(tmp_path / "no" / "results.jsonl", "m", 0)


def test_a_line_says_why_there_are_no_findings():
    line = Results(model="m", version=0).add("a.png", refusal())
    assert words(line) == "a.png: DAMAGED. No."


def test_an_overlay_is_of_one_file(folder: Path):
    done = CliRunner().invoke(kerascope.app, ["predict", str(folder), "--model", TINY, "--overlay", "x.png"])
    assert isinstance(done.exception, errors.BadRequest)


@pytest.mark.slow
def test_every_file_has_its_line_and_the_notice_is_said(gateway: Gateway, client, folder: Path):
    text = printed([folder], gateway)
    leading = client.analyze((folder / "0.png").read_bytes(), model=TINY).leading
    assert f"0.png: {leading.label} {leading.verdict.value}, {leading.probability:.3f}" in text
    assert "ct.dcm: WRONG_MODALITY" in text
    assert "3 answered, 1 turned away." in text
    assert "Research use only" in text


@pytest.mark.slow
def test_a_line_says_that_its_image_is_unusual_and_the_last_one_how_many_are(gateway: Gateway, folder: Path, unusual):
    text = printed([folder], gateway)
    assert text.count("(unusual for this model: 1.31 times the limit)") == 3
    assert "3 answered (3 with a caution: unusual for the model), 1 turned away." in text
    lines = [json.loads(line) for line in printed([folder / "0.png"], gateway, json=True).splitlines()]
    assert lines[0]["analysis"]["caution"]["ratio"] == unusual.ratio


@pytest.mark.slow
def test_json_is_one_object_a_line(gateway: Gateway, folder: Path):
    lines = [json.loads(line) for line in printed([folder], gateway, json=True).splitlines()]
    by_name = {Path(line["file"]).name: line for line in lines}
    assert by_name.keys() == {"0.png", "1.png", "2.png", "ct.dcm"}
    assert by_name["ct.dcm"]["error"]["reason"] == "WRONG_MODALITY"
    assert len(by_name["0.png"]["analysis"]["findings"]) == 5


@pytest.mark.slow
def test_a_folder_asked_again_goes_on_with_what_is_new(
    registry, model_server, start_gateway, folder: Path, tmp_path: Path, make_png
):
    url, results = f"sqlite:///{tmp_path}/store.db", tmp_path / "results.jsonl"
    gateway = start_gateway(registry, model_server.port, store=url)
    printed([folder], gateway, results=results)
    (folder / "3.png").write_bytes(make_png(3))
    text = printed([folder], gateway, results=results)
    assert "1 answered, 0 turned away, 4 known from before." in text
    assert "3.png: " in text
    assert "0.png: " not in text
    lines = results.read_text().splitlines()
    results.write_text("\n".join(lines[:2]) + "\n")  # three answers that arrived and were lost here
    text = printed([folder], gateway, results=results)
    assert "4 known from before" not in text
    assert len(results.read_text().splitlines()) == len(lines) == 6
    assert len(Store(url).analyses.since(0)) == 5  # each analysed once
