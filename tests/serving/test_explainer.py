"""Explanations in processes of their own: right, bounded in time, and never in the way of an analysis."""

from __future__ import annotations

import contextlib
import errno
import importlib
import os
import threading
import time
from collections.abc import Iterator
from multiprocessing.context import SpawnProcess
from pathlib import Path

import numpy as np
import pytest

from serving.client import Client
from serving.explainer import Explainer
from zoo import errors
from zoo.bundles import Bundle, Registry
from zoo.imaging.image import read
from zoo.imaging.preprocess import preprocess
from zoo.results import Method

TINY = "tiny-chest"
TELLS_ITS_PROCESS, HANGS, DIES, REFUSES, HAS_A_BUG = range(5)  # see explainer_work.py
BLACK = np.zeros((64, 64, 1), np.uint8)


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    """A bundle as far as these workers look at it."""
    path = tmp_path / "any" / "1"
    (path / "assets.extra").mkdir(parents=True)
    (path / "assets.extra" / "model.keras").touch()
    return Bundle(path)


@pytest.fixture
def explainer(monkeypatch: pytest.MonkeyPatch) -> Iterator[Explainer]:
    monkeypatch.syspath_prepend(Path(__file__).parent)  # workers are given this process's path
    work = importlib.import_module("explainer_work").work
    explainer = Explainer(workers=1, waiting=1, work=work)
    yield explainer
    explainer.stop()


def ask(explainer: Explainer, bundle: Bundle, label: int, timeout_s: float = 30.0) -> int:
    """The process that answered."""
    heat = explainer.explain(bundle, BLACK, method=Method.GRAD_CAM, label=label, timeout_s=timeout_s)
    assert heat.dtype == np.float32
    return int(heat[0, 0])


def test_a_worker_is_another_process_and_stays(explainer: Explainer, bundle: Bundle):
    first = ask(explainer, bundle, TELLS_ITS_PROCESS)
    assert first != os.getpid()
    assert ask(explainer, bundle, TELLS_ITS_PROCESS) == first


def test_a_worker_that_hangs_is_stopped_in_time_and_replaced(explainer: Explainer, bundle: Bundle):
    first = ask(explainer, bundle, TELLS_ITS_PROCESS)
    begun = time.monotonic()
    with pytest.raises(errors.BackendTimeout, match="grad-cam took longer"):
        ask(explainer, bundle, HANGS, timeout_s=0.3)
    assert time.monotonic() - begun < 5
    with pytest.raises(ProcessLookupError):
        os.kill(first, 0)
    assert ask(explainer, bundle, TELLS_ITS_PROCESS) != first


def test_a_worker_that_dies_is_replaced(explainer: Explainer, bundle: Bundle):
    with pytest.raises(errors.ModelNotReady, match="ended unexpectedly"):
        ask(explainer, bundle, DIES)
    assert ask(explainer, bundle, TELLS_ITS_PROCESS)


def test_a_worker_whose_process_cannot_be_started_is_told_and_tried_again(
    explainer: Explainer, bundle: Bundle, monkeypatch: pytest.MonkeyPatch
):
    def no_memory(self: SpawnProcess) -> None:
        raise OSError(errno.ENOMEM, os.strerror(errno.ENOMEM))

    with monkeypatch.context() as patched:
        patched.setattr(SpawnProcess, "start", no_memory)
        with pytest.raises(errors.ModelNotReady, match="Ask again"):
            ask(explainer, bundle, TELLS_ITS_PROCESS)
    assert ask(explainer, bundle, TELLS_ITS_PROCESS)


def test_errors_of_a_worker_arrive_and_cost_no_process(explainer: Explainer, bundle: Bundle):
    first = ask(explainer, bundle, TELLS_ITS_PROCESS)
    with pytest.raises(errors.BadRequest, match="cat"):
        ask(explainer, bundle, REFUSES)
    with pytest.raises(RuntimeError, match="a bug"):
        ask(explainer, bundle, HAS_A_BUG)
    assert ask(explainer, bundle, TELLS_ITS_PROCESS) == first


def test_who_comes_when_the_queue_is_full_is_turned_away_at_once(explainer: Explainer, bundle: Bundle):
    ask(explainer, bundle, TELLS_ITS_PROCESS)
    outcomes: list[str] = []

    def wait(label: int) -> None:
        try:
            ask(explainer, bundle, label, timeout_s=2.0)
        except errors.KerascopeError as error:
            outcomes.append(type(error).__name__)

    waiting = [threading.Thread(target=wait, args=(label,)) for label in (HANGS, HANGS)]
    for thread in waiting:
        thread.start()
    time.sleep(0.5)
    begun = time.monotonic()
    with pytest.raises(errors.ModelNotReady, match="Too many"):
        ask(explainer, bundle, TELLS_ITS_PROCESS)
    assert time.monotonic() - begun < 0.5
    for thread in waiting:
        thread.join()
    assert outcomes == ["BackendTimeout", "BackendTimeout"]


def test_a_missing_keras_file_is_a_bad_bundle(explainer: Explainer, bundle: Bundle):
    bundle.keras_path.unlink()
    with pytest.raises(errors.BadBundle, match=r"model\.keras"):
        ask(explainer, bundle, TELLS_ITS_PROCESS)


@pytest.mark.slow
@pytest.mark.parametrize("method", Method)
def test_an_explanation_is_what_zoo_explain_says(method: Method, client: Client, registry: Path, png: bytes):
    import keras

    from zoo.explain import methods

    bundle = Registry(registry).bundle(TINY)
    model = keras.models.load_model(bundle.keras_path, compile=False)
    signed = methods.explain(model, preprocess(read(png), bundle.card.input), method=method, label=2)
    raw = np.maximum(signed, 0)
    explanation = client.explain(png, model=TINY, method=method, label="effusion")
    np.testing.assert_allclose(explanation.heatmap * explanation.strength, raw, atol=1e-5 * raw.max())
    assert explanation.heatmap.max() == (1.0 if raw.any() else 0.0)
    assert (explanation.method, explanation.label) == (method, "effusion")
    assert explanation.provenance.model == TINY
    assert "Research use only" in explanation.notice


@pytest.mark.slow
def test_without_a_label_the_most_probable_one_is_explained(client: Client, png: bytes):
    findings = client.analyze(png, model=TINY).findings
    explanation = client.explain(png, model=TINY, method="grad-cam")
    assert explanation.label == max(findings, key=lambda finding: finding.probability).label


@pytest.mark.slow
def test_an_unknown_label_or_method_is_a_bad_request(client: Client, png: bytes):
    with pytest.raises(errors.BadRequest, match=r"no label 'fracture'.*nodule"):
        client.explain(png, model=TINY, method=Method.GRAD_CAM, label="fracture")
    with pytest.raises(errors.BadRequest, match=r"'guess'.*score-cam"):
        client.explain(png, model=TINY, method="guess")


@pytest.mark.slow
def test_a_slow_explanation_does_not_hold_up_an_analysis(registry, model_server, start_gateway, png):
    # The worker of a fresh gateway first imports TensorFlow: an explanation of seconds. One thread answers calls.
    def explain(client: Client) -> None:
        with contextlib.suppress(errors.KerascopeError):  # the gateway stops before it is done
            client.explain(png, model=TINY, method="score-cam")

    gateway = start_gateway(registry, model_server.port, request_threads=1)
    with Client(gateway.address) as client:
        client.analyze(png, model=TINY)
        explaining = threading.Thread(target=explain, args=(client,))
        explaining.start()
        time.sleep(0.2)
        for _ in range(20):
            client.analyze(png, model=TINY)
        assert explaining.is_alive()
        gateway.stop(0)
        explaining.join()
