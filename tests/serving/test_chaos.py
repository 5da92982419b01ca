"""`make soak` in short: each part killed once, the database restarted, the disk filled, clients slow; nothing is lost.

How soon each part is back at work is the benchmark's to measure; here it only has to come back.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.chaos.soak import SLOW_CLIENTS, soak
from tests.serving.postgresql import Cluster
from zoo.bundles import Registry

pytestmark = pytest.mark.slow

KILLED = ["kill -9 of the model server", "kill -9 of the gateway", "kill -9 of the DICOM node"]


def test_whatever_part_goes_no_study_is_lost_none_is_analysed_twice_and_no_answer_is_wrong(
    tmp_path: Path, registry: Path, postgresql: Cluster
):
    soaked = soak(tmp_path, Registry(registry).bundle("tiny-chest"), postgresql, seconds=0)
    assert soaked.faults == []
    assert [each.trouble for each in soaked.recovered] == [
        *KILLED,
        "restart of the database",
        "full disk",
        SLOW_CLIENTS,
    ]
    assert min(soaked.images, soaked.questions) >= len(soaked.recovered)
