"""Load: what is counted is what happened, and nothing is hidden."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from serving.load import loops, report, targets
from serving.load.measured import Measured, Sample
from tests.test_command import kerascope
from zoo import errors

TINY = "tiny-chest"


def measured(*latencies: float) -> Measured:
    return Measured({"kind": "closed", "clients": 1, "seconds": 2}, [Sample(0, ms) for ms in latencies], 2.0)


def test_percentiles_and_throughput_worked_out_by_hand():
    # Ten calls of 1 to 10 ms within two seconds: five are within 5 ms, nine within 9, and 99 % takes all ten.
    found = measured(*range(10, 0, -1))
    assert [found.percentile(percent) for percent in (50, 90, 99)] == [5, 9, 10]
    assert found.throughput == 5


def test_a_failed_call_is_counted_and_its_latency_is_not():
    found = Measured({}, [Sample(0, 4), Sample(0, 900, failure="ModelNotReady")], 1.0)
    assert found.failures == {"ModelNotReady": 1}
    assert found.percentile(99) == 4
    assert found.summary()["failed"] == 1
    assert found.summary()["throughput_per_s"] == 1


def test_calls_of_an_open_loop_come_at_random_at_the_rate_asked_for():
    moments = loops.arrivals(rate=1000, seconds=10, seed=3)
    gaps = np.diff(moments)
    assert abs(len(moments) - 10_000) < 500  # five standard deviations of a Poisson count
    assert np.std(gaps) == pytest.approx(np.mean(gaps), rel=0.1)  # exponential, not even
    assert moments == loops.arrivals(rate=1000, seconds=10, seed=3)
    assert moments != loops.arrivals(rate=1000, seconds=10, seed=4)


def test_calls_of_an_open_loop_come_evenly_where_that_is_asked_for():
    found = loops.open_(lambda picture: {}, ["a"], rate=100, seconds=0.1, even=True)
    assert sorted(sample.due_s for sample in found.samples) == pytest.approx(np.arange(10) / 100)
    assert found.load["even"] is True


def test_a_closed_loop_has_as_many_calls_under_way_as_clients():
    together, most, lock = [0], [0], threading.Lock()

    def ask(picture: str) -> dict[str, float]:
        with lock:
            together[0] += 1
            most[0] = max(most[0], together[0])
        time.sleep(0.01)
        with lock:
            together[0] -= 1
        return {}

    found = loops.closed(ask, ["a", "b"], clients=5, seconds=0.2)
    assert most[0] == 5
    assert len(found.samples) >= 5


def test_an_open_loop_counts_the_wait_behind_a_server_that_stalls():
    one_at_a_time = threading.Lock()

    def ask(picture: str) -> dict[str, float]:
        with one_at_a_time:
            time.sleep(0.02)
        return {}

    found = loops.open_(ask, ["a"], rate=200, seconds=0.2, seed=0)
    # n calls of at least 20 ms one after the other, all due within 200 ms: the last one waited for the others.
    assert found.percentile(100) >= 20 * len(found.samples) - 200
    assert len(found.samples) == len(loops.arrivals(200, 0.2, 0))


def test_failures_are_told_by_name():
    def ask(picture: str) -> dict[str, float]:
        raise errors.BackendTimeout("late")

    found = loops.closed(ask, ["a"], clients=2, seconds=0.05)
    assert set(found.failures) == {"BackendTimeout"}
    assert not found.answered


def test_generated_pictures_are_the_same_from_the_same_seed():
    assert targets.pictures(None, seed=1) == targets.pictures(None, seed=1)
    assert targets.pictures(None, seed=1) != targets.pictures(None, seed=2)


def test_an_empty_folder_of_pictures_is_refused(tmp_path):
    with pytest.raises(errors.BadRequest, match="There is no file in"):
        targets.pictures(tmp_path)


def test_the_picture_of_a_load_is_a_picture(tmp_path):
    report.plot([("one", measured(1, 2, 3)), ("other", measured(2, 3, 9))], tmp_path / "load.png")
    assert (tmp_path / "load.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.slow
def test_a_gateway_under_load_says_where_its_time_went(gateway, tmp_path):
    out = tmp_path / "bench.json"
    arguments = ("--gateway", gateway.address, "--model", TINY, "--clients", "2", "--seconds", "1", "--out", str(out))
    done = kerascope("bench", "serve", *arguments)
    assert done.returncode == 0, done.stderr
    assert "answers" in done.stdout
    found = json.loads(out.read_text())
    assert found["calls"] > 0
    assert found["failed"] == 0
    stages = found["stages_ms"]
    assert set(stages) == {"decode_ms", "preprocess_ms", "model_ms", "total_ms"}
    assert 0 < stages["model_ms"]["p50"] <= stages["total_ms"]["p50"] <= found["latency_ms"]["p50"]


@pytest.mark.slow
def test_a_model_server_is_asked_for_pixels(registry, model_server, tmp_path):
    files = targets.pictures(None)
    with targets.model_server(f"localhost:{model_server.port}", registry, TINY, 0, files) as target:
        found = loops.open_(target.ask, target.pictures, rate=40, seconds=0.5)
    assert len(found.answered) == len(found.samples) == len(loops.arrivals(40, 0.5, 0))
    assert found.stages == []


@pytest.mark.slow
def test_pictures_that_the_model_refuses_are_left_out_and_said_so_if_none_is_left(gateway, png, tmp_path):
    (tmp_path / "notes.txt").write_text("no picture")
    with (
        pytest.raises(errors.BadRequest, match="None of the 1 pictures is answered"),
        targets.gateway(gateway.address, TINY, 0, targets.pictures(tmp_path)),
    ):
        pass
    (tmp_path / "picture.png").write_bytes(png)
    with targets.gateway(gateway.address, TINY, 0, targets.pictures(tmp_path)) as target:
        assert target.pictures == [png]


@pytest.mark.slow
def test_a_model_that_is_not_there_ends_in_one_line(gateway):
    done = kerascope("bench", "serve", "--gateway", gateway.address, "--model", "nobody", cwd=Path(__file__).parents[2])
    assert done.returncode == 1
    assert "No model is called" in done.stderr
    assert "Traceback" not in done.stderr
