"""What Prometheus is told, read from the page of a real gateway."""

from __future__ import annotations

import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from zoo import errors
from zoo.errors import Reason

pytestmark = pytest.mark.slow

TINY = "tiny-chest"
Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


@pytest.fixture
def watched(registry: Path, model_server) -> Iterator[object]:
    """A gateway of its own, with a page for Prometheus."""
    from serving.server import create_server
    from serving.settings import Settings

    address = f"localhost:{model_server.port}"
    gateway = create_server(Settings(registry=registry, model_server=address, port=0, metrics_port=0, insecure=True))
    gateway.start()
    yield gateway
    gateway.stop(0)


def page(gateway) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{gateway.metrics_port}/metrics", timeout=10) as answer:
        return answer.read().decode()


def value(gateway, name: str, **labels: str) -> float:
    """One sample; 0 where there is none yet."""
    samples = {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(page(gateway))
        for sample in family.samples
    }
    return samples.get((name, frozenset(labels.items())), 0.0)


def test_an_analysis_is_counted_and_timed_by_method_model_and_signature(watched, png):
    from serving.client import Client

    with Client(watched.address) as client:
        client.analyze(png, model=TINY)
        client.analyze(png, model=TINY)
        client.models()
    ours, theirs = {"method": "Analyze", "model": TINY}, {"model": TINY, "signature": "analyze"}
    assert value(watched, "kerascope_requests_total", **ours, status="OK") == 2
    assert value(watched, "kerascope_request_seconds_count", **ours) == 2
    assert value(watched, "kerascope_requests_total", method="ListModels", model="", status="OK") == 1
    assert value(watched, "kerascope_model_server_calls_total", **theirs, status="OK") == 2
    whole = value(watched, "kerascope_request_seconds_sum", **ours)
    assert 0 < value(watched, "kerascope_model_server_seconds_sum", **theirs) < whole
    assert value(watched, "kerascope_requests_in_flight", method="Analyze") == 0
    assert value(watched, "kerascope_model_ready", model=TINY, version="1") == 1


def test_a_refusal_is_counted_by_its_reason_and_status(watched, make_dicom):
    from serving.client import Client

    with Client(watched.address) as client, pytest.raises(errors.ImageRefused):
        client.analyze(make_dicom(Modality="MR"), model=TINY)
    call = {"method": "Analyze", "model": TINY}
    assert value(watched, "kerascope_refusals_total", **call, reason=Reason.WRONG_MODALITY.value) == 1
    assert value(watched, "kerascope_requests_total", **call, status="INVALID_ARGUMENT") == 1
    assert "SECRET" not in page(watched)


def test_a_caution_is_counted_by_what_it_comes_from_in_single_calls_streams_and_studies(
    watched, unusual, png, make_png
):
    from serving.client import Client

    images = [("a", png), ("b", make_png(3))]
    with Client(watched.address) as client:
        client.analyze(png, model=TINY)
        assert len(list(client.analyze_stream(images, model=TINY))) == 2
        client.analyze_study(images, model=TINY)
    for method, count in (("Analyze", 1), ("AnalyzeStream", 2), ("AnalyzeStudy", 2)):
        call = {"method": method, "model": TINY}
        assert value(watched, "kerascope_cautions_total", **call, measure=unusual.measure.value) == count
        assert value(watched, "kerascope_requests_total", **call, status="OK") == count


def test_without_a_caution_none_is_counted(watched, png):
    from serving.client import Client

    with Client(watched.address) as client:
        client.analyze(png, model=TINY)
    assert "kerascope_cautions_total{" not in page(watched)


def test_a_caller_cannot_write_into_the_metrics(watched, png):
    from serving.client import Client

    with Client(watched.address) as client, pytest.raises(errors.UnknownModel):
        client.analyze(png, model="DOE^JANE")
    assert value(watched, "kerascope_requests_total", method="Analyze", model="unknown", status="NOT_FOUND") == 1
    assert "DOE" not in page(watched)


def test_a_taken_port_is_said_in_one_sentence(watched, registry):
    from serving.server import create_server
    from serving.settings import Settings

    with pytest.raises(errors.BadConfig, match="KERASCOPE_METRICS_PORT"):
        create_server(Settings(registry=registry, port=0, metrics_port=watched.metrics_port, insecure=True))


def test_there_is_no_page_unless_asked_for(gateway):
    assert gateway.metrics_port is None
