"""The client: light to import, and what the gateway said is what it gives."""

from __future__ import annotations

import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pytest

from serving import messages, stream_messages
from serving.client import Client
from zoo import errors
from zoo.cards import Interval, OperatingPoint
from zoo.results import (
    Analysis,
    Caution,
    Explanation,
    Finding,
    ImageFacts,
    Measure,
    Method,
    Provenance,
    Timings,
    Verdict,
)


@pytest.mark.parametrize("module", ["serving.client", "serving.predict"])
def test_the_client_loads_quickly_and_without_tensorflow(module: str):
    code = f"import sys, time, {module}; print(time.process_time(), *(m for m in sys.modules if '.' not in m))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    seconds, *loaded = done.stdout.split()
    assert float(seconds) < 3  # of processor time; 0.5 on the machine this was written on, TensorFlow alone 5
    assert "grpc" in loaded
    assert not {"tensorflow", "keras", "jax", "torch", "pandas", "scipy", "matplotlib"} & set(loaded)


def provenance() -> Provenance:
    return Provenance(
        model="m",
        version=3,
        backbone="densenet121",
        weights_sha256="aa",
        analysis_id="bb",
        image_sha256="cc",
        gateway_version="0.1",
    )


def point(**specificity: float | None) -> OperatingPoint:
    return OperatingPoint(
        threshold=0.4,
        not_sure=(0.3, 0.6),
        chosen_by="by hand",
        sensitivity=Interval(value=0.9, low=0.8, high=0.95),
        specificity=Interval(**({"value": None} | specificity)),
    )


def caution() -> Caution:
    return Caution(measure=Measure.TEXTURE, ratio=1.25, refusal_ratio=1.75, share=0.05, message="Unusual: 1.25 times.")


def usual() -> Analysis:
    """An answer that carries no caution."""
    return Analysis(
        findings=(),
        provenance=provenance(),
        image=ImageFacts(format="PNG", width=3, height=2),
        timings=Timings(decode_ms=1.5, preprocess_ms=2.5, model_ms=3.5, total_ms=8),
    )


def test_an_analysis_survives_the_wire():
    evidence = np.arange(6, dtype=np.float32).reshape(2, 3) - 2
    points = {Verdict.ABSENT: point(), Verdict.NOT_SURE: point(value=0.0), Verdict.PRESENT: point(value=1.0, high=1.0)}
    analysis = Analysis(
        findings=tuple(
            Finding(
                label=verdict.value,
                probability=0.1 + number / 7,
                logit=-number / 3,
                verdict=verdict,
                operating_point=points.get(verdict),
                evidence=evidence * number,
            )
            for number, verdict in enumerate(Verdict)
        ),
        provenance=provenance(),
        image=ImageFacts(format="DICOM", width=3, height=2, modality="CR"),
        timings=Timings(decode_ms=1.5, preprocess_ms=2.5, model_ms=3.5, total_ms=8),
        embedding=np.array([0.1, -2], np.float32),
        caution=caution(),
        notice="Look twice.",
    )
    back = messages.analysis_from_message(messages.analysis_to_message(analysis))
    for sent, received in zip(analysis.findings, back.findings, strict=True):
        np.testing.assert_array_equal(received.evidence, sent.evidence)
        assert received.evidence.dtype == np.float32
        for name in ("label", "probability", "logit", "verdict", "operating_point"):
            assert getattr(received, name) == getattr(sent, name)
    for name in ("provenance", "image", "timings", "caution", "notice"):
        assert getattr(back, name) == getattr(analysis, name)
    np.testing.assert_array_equal(back.embedding, analysis.embedding)


def test_an_answer_to_a_usual_image_carries_no_caution():
    assert messages.analysis_from_message(messages.analysis_to_message(usual())).caution is None


@pytest.mark.parametrize("measure", Measure)
def test_a_study_says_how_many_of_its_images_are_unusual(measure: Measure):
    unusual = replace(usual(), caution=replace(caution(), measure=measure))
    images = [
        stream_messages.answer_to_message(name, said, 0, again=False)
        for name, said in (("a", usual()), ("b", unusual), ("c", unusual))
    ]
    images.append(stream_messages.error_to_message("d", errors.BadImage("No.", errors.Reason.DAMAGED)))
    back = stream_messages.study_from_message(
        stream_messages.study_to_message("1.2", messages.pb.ModelRef(name="m", version=3), images, (), "Look twice.")
    )
    assert back.unusual == 2
    assert [image.analysis and image.analysis.caution for image in back.images] == [
        None,
        unusual.caution,
        unusual.caution,
        None,
    ]


@pytest.mark.parametrize("method", Method)
def test_an_explanation_survives_the_wire(method: Method):
    explanation = Explanation(
        method=method,
        label="nodule",
        heatmap=np.linspace(0, 1, 6, dtype=np.float32).reshape(3, 2),
        strength=0.25,
        elapsed_ms=12.5,
        provenance=provenance(),
    )
    back = messages.explanation_from_message(messages.explanation_to_message(explanation))
    np.testing.assert_array_equal(back.heatmap, explanation.heatmap)
    for name in ("method", "label", "strength", "elapsed_ms", "provenance", "notice"):
        assert getattr(back, name) == getattr(explanation, name)


@pytest.mark.parametrize("number", [0, 99])
def test_a_method_nobody_knows_is_a_bad_request(number: int):
    with pytest.raises(errors.BadRequest, match="grad-cam"):
        messages.method_from_message(number)


def test_where_no_gateway_answers_the_client_says_so_soon():
    with Client("localhost:1", connect_timeout_s=0.3) as client:
        begun = time.monotonic()
        with pytest.raises(errors.ModelNotReady, match=r"No gateway answers at localhost:1.*kerascope gateway"):
            client.models()
        assert time.monotonic() - begun < 2
        assert not client.ready("any")
        with pytest.raises(errors.ModelNotReady, match="No gateway answers"):
            client.wait_until_ready("any", timeout_s=0)


@pytest.mark.slow
def test_ready_tells_models_and_versions_apart(client: Client):
    client.wait_until_ready("tiny-chest", timeout_s=10)
    assert client.ready("tiny-chest/1")
    assert not client.ready("tiny-chest/2")
    assert not client.ready("tiny")


@pytest.mark.slow
def test_waiting_for_a_model_that_never_comes_names_those_that_are_there(client: Client):
    with pytest.raises(errors.ModelNotReady, match=r"nobody does not answer.*tiny-chest"):
        client.wait_until_ready("nobody", timeout_s=0.2)


@pytest.mark.slow
def test_a_client_outlives_its_gateway(registry, model_server, start_gateway, png):
    first = start_gateway(registry, model_server.port)
    with Client(first.address, connect_timeout_s=5) as client:
        assert client.analyze(png, model="tiny-chest").findings
        first.stop(0)
        with pytest.raises(errors.ModelNotReady):
            client.analyze(png, model="tiny-chest")
        start_gateway(registry, model_server.port, port=first.port)
        assert client.analyze(png, model="tiny-chest").findings
