"""`make demo`, small: the same script, fewer phantoms, one epoch."""

from __future__ import annotations

import csv
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest
from PIL import Image
from rich.console import Console

from zoo import errors

ROOT = Path(__file__).parents[1]


@pytest.fixture
def second(small_demo) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A second `make demo`, serving; the process and what it printed up to then."""
    process = subprocess.Popen(small_demo.command(), stdout=subprocess.PIPE, text=True)
    printed = ""
    assert process.stdout is not None
    for line in process.stdout:
        printed += line
        if "Ctrl-C stops" in line:
            break
    yield process, printed
    process.kill()


@pytest.fixture
def copy(small_demo, tmp_path: Path) -> Path:
    """A copy of what the demo made, to be spoilt."""
    return shutil.copytree(small_demo.home, tmp_path / "demo")


@pytest.fixture
def demo_build(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(ROOT / "deploy")
    return pytest.importorskip("demo_build")


@pytest.fixture
def demo_images(demo_build: ModuleType) -> ModuleType:
    return pytest.importorskip("demo_images")


def once(small_demo, home: Path, *flags: str) -> subprocess.CompletedProcess[str]:
    command = small_demo.command("--once", *flags, home=home)
    return subprocess.run(command, capture_output=True, text=True, timeout=540, check=False)


def replace_test_images(home: Path, picture: Path, replaced: Callable[[dict[str, str]], bool]) -> None:
    """Another picture in place of some images of test patients, before the demo takes its samples from them."""
    table = home / "runs" / "phantoms" / "split.csv"
    with table.open(newline="") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        if row["split"] == "test" and replaced(row):
            row["file"] = str(picture)
    with table.open("w", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


@pytest.mark.slow
def test_it_ends_with_a_finding_its_worth_and_where_to_look(small_demo):
    home, printed = small_demo.home, small_demo.printed
    summary = json.loads((home / "summary.json").read_text())
    assert set(summary["findings"]) == {"nodule", "consolidation", "effusion", "cardiomegaly", "pneumothorax"}
    assert {"auroc", "pointing_game"} <= set(summary["findings"]["effusion"])
    assert summary["analysed"]["leading"] in printed
    assert "never seen in training" in printed
    assert "Research use only" in printed
    for made in ("bundle", "report", "overlay"):
        assert Path(summary[made]).exists()
    assert Image.open(summary["overlay"]).size == (128, 128)


@pytest.mark.slow
def test_a_landscape_is_refused_on_purpose_and_lies_beside_the_samples(small_demo):
    stranger = json.loads((small_demo.home / "summary.json").read_text())["stranger"]
    assert stranger["reason"] == "COLOUR"
    assert stranger["message"][:40] in small_demo.printed
    assert "refused: COLOUR" in small_demo.printed
    last = sorted((small_demo.home / "samples").iterdir())[-1]  # the dashboard offers it behind the others
    assert str(last) == stranger["sample"]
    assert Image.open(last).mode == "RGB"


@pytest.mark.slow
def test_the_sample_is_of_a_patient_never_trained_on(small_demo):
    home = small_demo.home
    run = home / "runs" / "phantoms"
    with (run / "split.csv").open() as table:
        seen = [(run / row["file"]).read_bytes() for row in csv.DictReader(table) if row["split"] == "train"]
    assert seen
    for sample in (home / "samples").iterdir():
        assert sample.read_bytes() not in seen


@pytest.mark.slow
def test_a_sample_that_is_refused_does_not_end_the_demo(small_demo, copy):
    landscape = small_demo.home / "samples" / "unsuitable-landscape.png"
    replace_test_images(copy, landscape, lambda row: row["nodule"] == "1")
    done = once(small_demo, copy)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "unseen-1.dcm, never seen in training, is refused (COLOUR)" in done.stdout
    summary = json.loads((copy / "summary.json").read_text())
    assert summary["refused_samples"][0]["reason"] == "COLOUR"
    assert summary["analysed"]["sample"] != summary["refused_samples"][0]["sample"]


@pytest.mark.slow
def test_a_demo_whose_samples_are_all_refused_says_what_to_do_and_that_helps(small_demo, copy):
    landscape = small_demo.home / "samples" / "unsuitable-landscape.png"
    replace_test_images(copy, landscape, lambda row: True)
    refused = once(small_demo, copy)
    assert refused.returncode == 1
    assert "in colour" in refused.stdout
    assert "make demo FRESH=1" in refused.stdout
    assert not (copy / "summary.json").exists()  # the one of the run before says nothing of this one
    anew = once(small_demo, copy, "--fresh")
    assert anew.returncode == 0, anew.stdout + anew.stderr
    assert "1 of 4" in anew.stdout


@pytest.mark.slow
def test_a_second_run_reuses_everything_and_ctrl_c_stops_it_cleanly(second):
    process, printed = second
    assert "Using the bundle made before" in printed
    assert "1 of 4" not in printed
    ports = [int(port) for port in re.findall(r"(?:Dashboard|Gateway|Model server) .*localhost:(\d+)", printed)]
    assert len(ports) == 3
    children = subprocess.run(["pgrep", "-P", str(process.pid)], capture_output=True, text=True, check=False)
    pids = [int(pid) for pid in children.stdout.split()]
    assert len(pids) == 3
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=60) == 0
    assert not [pid for pid in pids if alive(pid)]


@pytest.mark.slow
@pytest.mark.parametrize("spoilt", ["nothing", "the record", "the bundle", "the plan"])
def test_what_cannot_be_used_again_is_deleted_and_nothing_else(copy, demo_build, spoilt):
    overrides = ("image_size=48", "stage.2.epochs=1", *(["seed=1"] if spoilt == "the plan" else []))
    plan = demo_build.Plan(copy, "phantoms", 40, 128, overrides)
    (copy / "mine.txt").write_text("")
    if spoilt == "the record":
        plan.record.write_text("{")
    if spoilt == "the bundle":
        (copy / plan.recorded()["bundle"] / "saved_model.pb").write_bytes(b"")
    bundle = demo_build.reusable(plan, Console(quiet=True))
    assert (bundle is not None) == (spoilt == "nothing")
    assert plan.data.exists() == (spoilt in ("nothing", "the record"))  # without a record, the commands go on with it
    assert (copy / "mine.txt").exists()


def test_an_unusual_sample_is_passed_over_and_shown_where_there_is_none_better(demo_images):
    unusual = SimpleNamespace(caution=SimpleNamespace(message="It is unusual."))
    usual = SimpleNamespace(caution=None)
    files = [Path(name) for name in "abc"]

    def shown(*answers: object) -> Path:
        said = dict(zip(files, answers, strict=False))

        def ask(sample: Path) -> object:
            if isinstance(said[sample], errors.KerascopeError):
                raise said[sample]
            return said[sample]

        return demo_images.first_answer(ask, files[: len(answers)], Console(quiet=True)).sample

    refused = errors.ImageRefused("It is unlike the others.", errors.Reason.OUT_OF_DISTRIBUTION)
    assert shown(refused, unusual, usual) == files[2]
    assert shown(refused, unusual, refused) == files[1]
    with pytest.raises(errors.ImageRefused, match="all 2 unseen"):
        shown(refused, refused)


def test_demos_that_begin_together_take_different_ports(demo_build):
    services = pytest.importorskip("services")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        wanted = taken.getsockname()[1]
        assert services.free_port(wanted) != wanted
    code = f"import services; print(services.free_port({wanted}), flush=True); input()"
    command = [sys.executable, "-c", code]
    with subprocess.Popen(command, cwd=ROOT / "deploy", stdin=subprocess.PIPE, stdout=subprocess.PIPE) as first:
        assert first.stdout is not None
        assert int(first.stdout.readline()) == wanted  # nothing listens yet
        assert services.free_port(wanted) != wanted
        first.kill()


def test_to_begin_anew_is_advised_only_where_it_helps(demo_build):
    demo = pytest.importorskip("demo")
    assert "FRESH=1" in demo.advice(errors.BadRun("damaged"))
    assert "FRESH=1" in demo.advice(FileNotFoundError("split.csv"))
    assert "FRESH=1" not in demo.advice(errors.ModelNotReady("Port 8501 is not available"))


def test_a_run_without_test_patients_is_damaged(demo_build, demo_images, tmp_path):
    plan = demo_build.Plan(tmp_path, "phantoms", 40, 128, ())
    plan.run_folder.mkdir(parents=True)
    (plan.run_folder / "split.csv").write_text("file,patient,split,nodule\n")
    with pytest.raises(errors.BadRun, match=r"split\.csv names no image"):
        demo_images.pick_samples(plan, ("nodule",))


def alive(pid: int) -> bool:
    """Whether the process is still there a second after it should not be."""
    for _ in range(10):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return False
        time.sleep(0.1)
    return True
