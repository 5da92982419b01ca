"""kill -9 of the node at random moments while images come in: none that its sender heard success for is lost, and none
is analysed twice in the store.
"""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path

import pytest

from benchmarks.processes import free_port
from serving.store.store import Store
from tests.serving.hospital.peers import echo, store
from tests.waiting import until

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[3]
IMAGES = 50


class KilledNode:
    """A node's process that is killed and started again, until it is let live."""

    def __init__(self, config: Path, port: int, seed: int) -> None:
        self._command = [sys.executable, str(ROOT / "kerascope.py"), "dicom-node", str(config)]
        self._port, self._random = port, random.Random(seed)
        self._log = config.with_suffix(".log").open("wb")
        self._begin()
        self.kills = 0

    def kill_now_and_then(self, times: int) -> None:
        for _ in range(times):
            until(lambda: echo(self._port), 180)
            time.sleep(self._random.uniform(0.05, 1.5))
            self._process.send_signal(signal.SIGKILL)
            self._process.wait()
            self.kills += 1
            self._begin()

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(60)

    def _begin(self) -> None:
        self._process = subprocess.Popen(self._command, stdout=self._log, stderr=subprocess.STDOUT)


def configured(folder: Path, port: int, gateway: str, url: str) -> Path:
    path = folder / "node.toml"
    path.write_text(
        f'port = {port}\nallow = ["CR1"]\ngateway = "{gateway}"\nstore = "{url}"\naudit = "audit.jsonl"\n'
        '[[rule]]\nmodel = "tiny-chest"\n'
    )
    return path


@pytest.mark.parametrize("kills", [3, pytest.param(12, marks=pytest.mark.large)])
def test_a_node_killed_again_and_again_loses_nothing_and_analyses_nothing_twice(
    tmp_path: Path, registry, model_server, start_gateway, make_dicom, kills: int
):
    url, port = f"sqlite:///{tmp_path}/store.db", free_port()
    gateway = start_gateway(registry, model_server.port, store=url)
    node = KilledNode(configured(tmp_path, port, gateway.address, url), port, seed=kills)
    killer = threading.Thread(target=node.kill_now_and_then, args=(kills,))
    killer.start()
    uids = [f"1.2.{number}.3" for number in range(IMAGES)]
    for number, uid in enumerate(uids):
        (tmp_path / "image.dcm").write_bytes(make_dicom(StudyInstanceUID=f"1.2.{number}", SOPInstanceUID=uid))
        until(lambda: store(port, tmp_path / "image.dcm"), 180)  # as a modality does: until it hears success
        time.sleep(0.1 * kills / 3)  # so that the kills fall among the images
    killer.join()
    kept = Store(url)
    until(lambda: kept.queue.counts()["done"] == IMAGES, 180)
    node.stop()
    assert node.kills == kills
    answers = kept.analyses.since(0, limit=10 * IMAGES)
    assert Counter(answer.instance_uid for answer in answers) == dict.fromkeys(uids, 1)
    assert {item.analysis_id for study in kept.worklist.studies(limit=500) for item in study.items} == {
        answer.analysis_id for answer in answers
    }
    assert len({*kept.spool.digests(), *kept.kept.digests()}) == IMAGES
