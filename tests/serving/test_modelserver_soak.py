"""The soak benchmark in short: versions are swapped under load and calls go on, with none lost and no memory either."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.soak_modelserver import MODEL, Soaked, calls, served, swaps

pytestmark = pytest.mark.slow

MOST_GROWTH = 1.1  # looser than the benchmark's: a short run has barely warmed up


def held(soaked: Soaked) -> bool:
    return soaked.failed == 0 and soaked.done > 0 and soaked.after_mb < MOST_GROWTH * soaked.before_mb


def test_ten_swaps_under_load_and_two_thousand_calls_lose_nothing(tmp_path: Path) -> None:
    with served(tmp_path / MODEL) as server:
        swapped = swaps(server, tmp_path / MODEL, 10)
        assert held(swapped), swapped
        called = calls(server, 2000)
    assert (held(called), called.done) == (True, 2000), called
