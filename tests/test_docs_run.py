"""The tutorial and the guides do what they say: their files are saved and their commands typed, as they stand.

Only SMALLER and the ports are changed.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.processes import free_port
from tests.serving.hospital.peers import Orthanc, echo
from tests.test_docs import DOCS, ROOT, blocks, commands
from tests.waiting import until

# What the tutorial is run with here, so that it takes a minute; a reader waits a little longer for a better model.
SMALLER = {"--patients 300 ": "--patients 24 ", "epochs = 20\n": "epochs = 1\n", "image_size = 128": "image_size = 64"}
SERVICES = ("kerascope serve", "kerascope gateway", "kerascope dicom-node")


class Reader:
    """Somebody who types what the pages say, in a folder of their own.

    Attributes:
        folder: where everything happens.
        gateway: its address; the pages say localhost:50051.
        orthanc_port: of Orthanc's HTTP; the pages say 8042.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        ports = [free_port() for _ in range(5)]
        self.gateway, self._model_port, self._node_port = f"localhost:{ports[0]}", ports[1], ports[2]
        self._web_port, self.orthanc_port = ports[3:]
        self._services: list[subprocess.Popen[bytes]] = []
        self._environment = os.environ | {
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "TF_CPP_MIN_LOG_LEVEL": "3",
            "PYTHONPATH": str(ROOT),
            "KERASCOPE_GATEWAY": self.gateway,
            "KERASCOPE_PORT": str(ports[0]),
            "KERASCOPE_MODEL_SERVER": f"localhost:{ports[1]}",
        }

    def follow(self, page: Path) -> None:
        """Saves the page's files and types its commands, in order."""
        for block in blocks(page):
            if block.saved_as:
                (self.folder / block.saved_as).write_text(self._mine(block.text))
            elif block.language == "console":
                for line in block.text.splitlines():
                    if line.startswith("$ "):
                        self.type(line.removeprefix("$ "))

    def type(self, line: str) -> str:
        """One command; a service is started and left running."""
        if line.startswith(("make ", ". ")):
            return ""  # the environment that these tests run in
        line = self._mine(line)
        if line.startswith("kerascope dashboard"):
            return ""  # looked at by tests/dashboard
        if line.startswith(SERVICES) and "--check" not in line:
            self._start(line)
            return ""
        done = subprocess.run(
            ["bash", "-o", "pipefail", "-c", line],
            cwd=self.folder,
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        accepted = (0, 141) if "| head" in line else (0,)  # head closes the pipe when it has seen enough
        assert done.returncode in accepted, f"$ {line}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
        return done.stdout

    def python(self, code: str) -> str:
        """Runs an example of a page."""
        (self.folder / "example.py").write_text(self._mine(code))
        return self.type("python example.py")

    def stop(self) -> None:
        for service in reversed(self._services):
            service.terminate()
        for service in reversed(self._services):
            service.wait(timeout=120)

    def _mine(self, text: str) -> str:
        ports = {"localhost:50051": self.gateway, "localhost:8500": f"localhost:{self._model_port}"}
        ports |= {"11112": str(self._node_port), "8443": str(self._web_port), "8042": str(self.orthanc_port)}
        for theirs, ours in {**SMALLER, **ports}.items():
            text = text.replace(theirs, ours)
        return text

    def _start(self, line: str) -> None:
        if line.startswith("kerascope serve"):
            line += f" --port {self._model_port}"
        log = (self.folder / f"{line.split()[1]}.log").open("wb")
        command = ["bash", "-c", f"exec {line}"]
        self._services.append(
            subprocess.Popen(command, cwd=self.folder, env=self._environment, stdout=log, stderr=subprocess.STDOUT)
        )
        if line.startswith("kerascope gateway"):
            self._wait()
        if line.startswith("kerascope dicom-node"):
            until(lambda: echo(self._node_port), 180)

    def _wait(self) -> None:
        from serving.client import Client

        end = time.monotonic() + 120
        with Client(self.gateway) as client:
            while not client.ready("first-model"):
                logs = "\n".join(path.read_text()[-2000:] for path in self.folder.glob("*.log"))
                assert time.monotonic() < end, logs
                assert all(service.poll() is None for service in self._services), logs
                time.sleep(0.2)


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    """Has followed the tutorial to its end; the services are still running."""
    reader = Reader(tmp_path_factory.mktemp("reader"))
    try:
        reader.follow(DOCS / "tutorial" / "first-model.md")
        yield reader
    finally:
        reader.stop()


@pytest.mark.slow
def test_the_tutorial_leads_from_nothing_to_an_explained_prediction(reader):
    made = reader.folder / "tutorial"
    assert (made / "runs" / "first-model" / "evaluation" / "report.html").is_file()
    assert (made / "registry" / "first-model" / "1" / "saved_model.pb").is_file()
    assert (made / "overlay.png").read_bytes().startswith(b"\x89PNG")
    difference = float(re.findall(r"tf-keras-vis: (\S+) logits", reader.type("python tutorial/explain.py"))[0])
    assert difference < 1e-3


@pytest.mark.slow
def test_the_examples_for_python_run(reader):
    examples = [b.text for b in blocks(DOCS / "how-to" / "ask-the-gateway-from-python.md") if b.language == "python"]
    said = [reader.python(example) for example in examples]
    assert "Research use only" in said[0]
    assert "logits at the strongest place" in said[1]
    assert "choose another image: NOT_AN_IMAGE" in said[2]


@pytest.mark.slow
def test_a_served_model_is_explained_by_asking_it_as_the_page_says(reader):
    page = DOCS / "explanation" / "explanation-methods.md"
    (example,) = [block.text for block in blocks(page) if block.language == "python"]
    assert "514 pictures asked about" in reader.python(example)


@pytest.mark.slow
def test_sending_dicom_works_as_the_guide_says(reader):
    reader.follow(DOCS / "how-to" / "send-dicom.md")
    assert '"findings"' in (reader.folder / "tutorial" / "answer.json").read_text()


@pytest.mark.slow
def test_many_images_are_sent_as_the_guide_says(reader):
    page = DOCS / "how-to" / "send-many-images.md"
    reader.follow(page)
    files = list((reader.folder / "tutorial" / "data" / "images").iterdir())
    assert len((reader.folder / "tutorial" / "answers.jsonl").read_text().splitlines()) == 1 + len(files)
    streamed, study = (reader.python(block.text) for block in blocks(page) if block.language == "python")
    assert len(streamed.splitlines()) == len(files)
    assert "Research use only" in study


@pytest.mark.slow
def test_results_are_filed_as_the_guide_says(reader):
    page = DOCS / "how-to" / "results-in-a-pacs.md"
    reader.follow(page)
    assert "Bundle" in (reader.folder / "tutorial" / "fhir.json").read_text()
    (example,) = [block.text for block in blocks(page) if block.language == "python"]
    assert "Comprehensive 3D SR Storage Kerascope AI - RESEARCH USE ONLY" in reader.python(example)


@pytest.mark.slow
def test_a_pacs_is_connected_as_the_guide_says(reader):
    orthanc = Orthanc(reader.folder / "orthanc", web=reader.orthanc_port)
    try:
        orthanc.store(reader.folder / "tutorial" / "unseen.dcm")
        reader.follow(DOCS / "how-to" / "connect-a-pacs.md")
    finally:
        orthanc.stop()
    shown = "kerascope store show --store sqlite:///hospital.db"
    until(lambda: ", 1 done" in reader.type(shown), 180)
    assert "unbroken" in reader.type("kerascope audit verify --audit audit.jsonl")
    assert len(list((reader.folder / "tutorial" / "deidentified").iterdir())) == 1


@pytest.mark.slow
def test_a_finished_run_is_not_trained_again_as_the_guide_says(reader):
    first = commands(DOCS / "how-to" / "resume-an-interrupted-run.md")[0]
    assert "is finished" in reader.type(first)


@pytest.mark.slow
def test_a_model_is_shared_as_the_guide_says(reader):
    reader.follow(DOCS / "how-to" / "share-models.md")
    tutorial = reader.folder / "tutorial"
    assert (tutorial / "other-registry" / "first-model" / "1" / "saved_model.pb").is_file()
    assert (tutorial / "registry" / "first-model" / "1" / "assets.extra" / "SHA256SUMS.sig").is_file()


@pytest.mark.slow
def test_serving_is_measured_as_the_guide_says(reader):
    for line in commands(DOCS / "how-to" / "measure-serving.md"):
        assert "0 failed" in reader.type(line.replace("--seconds 10", "--seconds 1"))


@pytest.mark.slow
def test_a_run_goes_out_as_onnx_as_the_guide_says(reader):
    pytest.importorskip("tf2onnx")
    page = DOCS / "how-to" / "export-to-onnx.md"
    reader.type(next(line for line in commands(page) if line.startswith("kerascope export")))
    (example,) = [block.text for block in blocks(page) if block.language == "python"]
    assert "Research use only" in reader.python(example)


def test_what_is_made_smaller_is_in_the_tutorial():
    text = (DOCS / "tutorial" / "first-model.md").read_text()
    assert all(theirs in text for theirs in SMALLER)
