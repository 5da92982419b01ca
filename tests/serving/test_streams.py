"""AnalyzeStream over real connections: many images, broken connections, and nothing answered twice in the store."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import pytest

from serving.audit import trail
from serving.client import Client, ImageAnswer
from serving.proto.kerascope.v1 import inference_pb2 as pb
from serving.proto.kerascope.v1 import inference_pb2_grpc
from serving.server import Gateway
from serving.store.store import Store
from tests.serving.held_model_server import HeldModelServer
from tests.serving.store.answers import analysis, header
from tests.waiting import until
from zoo import errors
from zoo.errors import Reason

pytestmark = pytest.mark.slow

TINY = "tiny-chest"
PATIENCE_S = 60
StartGateway = Callable[..., Gateway]


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/store.db"


@pytest.fixture
def start(registry: Path, held: HeldModelServer, start_gateway: StartGateway) -> StartGateway:
    """start(**settings): a gateway before the held model server."""
    return lambda **settings: start_gateway(registry, held.port, **({"request_timeout_s": PATIENCE_S} | settings))


@pytest.fixture
def pictures(make_png: Callable[[int], bytes]) -> list[tuple[str, bytes]]:
    """Six pictures, each its own."""
    return [(f"image-{seed}", make_png(seed)) for seed in range(6)]


def by_name(answers: Iterable[ImageAnswer]) -> dict[str, ImageAnswer]:
    found: dict[str, ImageAnswer] = {}
    for answer in answers:
        assert answer.image_id not in found, "answered twice"
        found[answer.image_id] = answer
    return found


def test_every_image_has_the_answer_it_would_have_alone(client: Client, pictures):
    found = by_name(client.analyze_stream(pictures, model=TINY))
    assert found.keys() == dict(pictures).keys()
    for name, data in pictures:
        alone = client.analyze(data, model=TINY)
        assert found[name].analysis.provenance.image_sha256 == alone.provenance.image_sha256
        logits = [finding.logit for finding in found[name].analysis.findings]
        assert logits == pytest.approx([finding.logit for finding in alone.findings], abs=1e-5)
        assert "Research use only" in found[name].analysis.notice


def test_an_image_that_is_turned_away_is_an_answer_and_not_the_end(client: Client, png: bytes, make_dicom, tmp_path):
    images = [
        ("text", b"hello"),
        ("ct", make_dicom(Modality="CT")),
        ("none", tmp_path / "none.dcm"),
        ("empty", b""),
        ("good", png),
    ]
    found = by_name(client.analyze_stream(images, model=TINY))
    reasons = {name: answer.error.reason for name, answer in found.items() if answer.error}
    assert reasons == {
        "text": Reason.NOT_AN_IMAGE,
        "ct": Reason.WRONG_MODALITY,
        "none": Reason.NOT_AN_IMAGE,
        "empty": Reason.EMPTY,
    }
    assert isinstance(found["ct"].error, errors.ImageRefused)
    assert found["good"].analysis.findings


def test_a_large_file_comes_in_pieces_and_one_too_large_is_read_past(start: StartGateway, png: bytes):
    limit = 3 << 20
    images = [(str(over), png + bytes(limit - len(png) + over)) for over in (0, 1, 8 << 20, -1)]
    with Client(start(max_image_bytes=limit).address) as client:
        found = by_name(client.analyze_stream(images, model=TINY))
    assert found["0"].analysis.findings
    assert found["-1"].analysis.findings
    for name in ("1", str(8 << 20)):
        assert found[name].error.reason is Reason.TOO_LARGE


def test_a_stream_has_so_many_images_in_hand_and_no_more(start: StartGateway, held: HeldModelServer, png: bytes):
    sent: list[int] = []

    def images() -> Iterator[tuple[str, bytes]]:
        for number in range(12):
            sent.append(number)
            yield str(number), png

    with Client(start(stream_in_flight=3, request_threads=8).address) as client, ThreadPoolExecutor(1) as threads:
        held.close()
        answers = threads.submit(lambda: by_name(client.analyze_stream(images(), model=TINY, in_flight=5)))
        until(lambda: held.inside == 3 and len(sent) == 5)
        held.open()
        assert len(answers.result()) == 12
    assert held.most == 3


def test_streams_and_single_calls_share_the_threads(start: StartGateway, held: HeldModelServer, pictures, png: bytes):
    address = start(request_threads=2).address
    with Client(address) as client, ThreadPoolExecutor(4) as threads:
        held.close()
        streamed = threads.submit(lambda: by_name(client.analyze_stream(pictures, model=TINY)))
        until(lambda: held.inside == 2)
        alone = threads.submit(client.analyze, png, model=TINY)
        held.open()
        assert len(streamed.result()) == 6
        assert alone.result().findings
    assert held.most == 2


def test_a_stream_goes_on_under_its_name_and_no_image_is_asked_of_the_model_twice(
    start: StartGateway, held: HeldModelServer, url: str, pictures, make_dicom
):
    images = [*pictures[:3], ("ct", make_dicom(Modality="CT"))]
    with Client(start(store=url).address) as client:
        first = by_name(client.analyze_stream(images, model=TINY, stream_id="mine"))
        images += pictures[3:]
        again = by_name(client.analyze_stream(images, model=TINY, stream_id="mine"))
        newest = max(answer.sequence for answer in first.values())
        after = by_name(client.analyze_stream(images, model=TINY, stream_id="mine", after=newest))
    assert held.asked == 6
    assert {name for name, answer in again.items() if answer.from_store} == first.keys()
    for name, answer in first.items():
        assert again[name].sequence == answer.sequence or answer.error
    assert again["ct"].error.reason is first["ct"].error.reason is Reason.WRONG_MODALITY
    assert after.keys() == again.keys()
    assert len(Store(url).analyses.since(0)) == 7


def test_a_streams_name_belongs_to_one_model(start: StartGateway, url: str, pictures):
    Store(url).analyses.save(analysis(), header(), request_id="mine/image-0", stream_id="mine")  # by the model "chest"
    with Client(start(store=url).address) as client, pytest.raises(errors.BadRequest, match="another model"):
        list(client.analyze_stream(pictures, model=TINY, stream_id="mine"))


def test_a_stream_outlives_its_gateway(start: StartGateway, held: HeldModelServer, url: str, pictures, make_png):
    gateway = start(store=url, stream_in_flight=2)
    images = [*pictures, *((f"more-{seed}", make_png(seed)) for seed in range(6, 12))]
    with Client(gateway.address, connect_timeout_s=PATIENCE_S) as client:
        answers = client.analyze_stream(images, model=TINY, in_flight=4)
        found = [next(answers) for _ in range(3)]
        gateway.stop(0)
        start(store=url, stream_in_flight=2, port=gateway.port)
        found += answers
    assert by_name(found).keys() == dict(images).keys()
    assert all(answer.analysis for answer in found)
    kept = Store(url).analyses.since(0)
    assert len({stored.image_sha256 for stored in kept}) == len(kept) == 12


def test_a_stream_outlives_its_model_server(registry, pictures, start_model_server, start_gateway):
    server = start_model_server(registry)
    with Client(start_gateway(registry, server.port, stream_in_flight=2).address) as client:
        answers = client.analyze_stream(pictures, model=TINY, in_flight=2, patience_s=PATIENCE_S)
        found = [next(answers)]
        server.stop(0)
        back = threading.Timer(0.5, start_model_server, (registry,), {"port": server.port})
        back.start()
        found += answers
        back.join()
    assert all(answer.analysis for answer in by_name(found).values())
    assert len(found) == 6


def test_patience_ends_where_nobody_answers(registry, pictures, start_gateway):
    with (
        Client(start_gateway(registry, 1).address) as client,
        pytest.raises(errors.ModelNotReady, match="No model serv"),
    ):
        list(client.analyze_stream(pictures, model=TINY, patience_s=0.1))


def test_one_stream_more_than_there_are_places_for_is_turned_away_at_once(
    start: StartGateway, held: HeldModelServer, pictures
):
    with Client(start(streams=1).address) as client, ThreadPoolExecutor(1) as threads:
        held.close()
        first = threads.submit(lambda: by_name(client.analyze_stream(pictures, model=TINY)))
        until(lambda: held.inside > 0)
        with pytest.raises(errors.TooManyRequests):
            list(client.analyze_stream(pictures, model=TINY, patience_s=0))
        held.open()
        assert len(first.result()) == 6
        until(lambda: len(by_name(client.analyze_stream(pictures, model=TINY))) == 6)


def test_who_leaves_a_stream_leaves_its_place(start: StartGateway, pictures):
    with Client(start(streams=1).address) as client:
        leaving = client.analyze_stream(pictures, model=TINY)
        next(leaving)
        leaving.close()
        assert len(by_name(client.analyze_stream(pictures, model=TINY))) == 6


@pytest.mark.parametrize(
    "sent", [[], [pb.AnalyzeStreamRequest(options=pb.StreamOptions(model=pb.ModelRef(name=TINY)))]]
)
def test_a_stream_on_which_nothing_comes_is_ended(start: StartGateway, sent):
    hung_up = threading.Event()

    def requests() -> Iterator[pb.AnalyzeStreamRequest]:
        yield from sent
        hung_up.wait()

    with grpc.insecure_channel(start(stream_idle_s=0.1).address) as channel, pytest.raises(grpc.RpcError) as caught:
        list(inference_pb2_grpc.InferenceStub(channel).AnalyzeStream(requests(), timeout=PATIENCE_S))
    hung_up.set()
    assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    assert ("kerascope-error", "BackendTimeout") in [tuple(item) for item in caught.value.trailing_metadata()]


def test_what_is_no_stream_ends_as_a_bad_request(gateway: Gateway, png: bytes):
    options = pb.AnalyzeStreamRequest(options=pb.StreamOptions(model=pb.ModelRef(name=TINY)))
    image = pb.AnalyzeStreamRequest(chunk=pb.ImageChunk(image_id="a", data=png, last=True))
    named = pb.AnalyzeStreamRequest(options=pb.StreamOptions(model=pb.ModelRef(name=TINY), stream_id="DOE^JANE"))
    with grpc.insecure_channel(gateway.address) as channel:
        stub = inference_pb2_grpc.InferenceStub(channel)
        for sent in ([image], [], [options, options], [options, pb.AnalyzeStreamRequest()], [named]):
            with pytest.raises(grpc.RpcError) as caught:
                list(stub.AnalyzeStream(iter(sent), timeout=PATIENCE_S))
            assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
            assert "DOE" not in caught.value.details()


def test_a_model_that_is_not_there_ends_the_stream(client: Client, pictures):
    with pytest.raises(errors.UnknownModel, match="tiny-chset"):
        list(client.analyze_stream(pictures, model="tiny-chset"))


def test_every_image_of_a_stream_is_in_the_trail_and_counted(
    start: StartGateway, url: str, tmp_path, pictures, make_dicom
):
    gateway = start(store=url, audit=tmp_path / "audit.jsonl", requests_per_minute=1e-3, burst=10)
    with Client(gateway.address, user="dr-reader") as client:
        images = [*pictures[:2], ("ct", make_dicom(Modality="CT"))]
        list(client.analyze_stream(images, model=TINY, stream_id="mine"))
        list(client.analyze_stream(images, model=TINY, stream_id="mine"))
        for _ in range(10 - 2 - 3):  # two calls, and three images that were read
            client.models()
        with pytest.raises(errors.TooManyRequests):
            client.models()
    said = [(record["action"], record["outcome"]) for record in trail.read(tmp_path / "audit.jsonl")]
    assert sorted(said[:3]) == [("analyze", "refused:WRONG_MODALITY"), ("analyze", "success"), ("analyze", "success")]
    assert said[3:] == [("read", "success")] * 3
    assert {record["user"] for record in trail.read(tmp_path / "audit.jsonl")} == {"dr-reader"}
    for status, count in (("OK", 2), ("INVALID_ARGUMENT", 1)):
        labels = {"method": "AnalyzeStream", "model": TINY, "status": status}
        assert gateway.metrics.registry.get_sample_value("kerascope_requests_total", labels) == count


def test_without_the_features_asked_for_there_are_none(client: Client, pictures):
    with_, without = (
        next(client.analyze_stream(pictures[:1], model=TINY, embedding=wanted)).analysis.embedding
        for wanted in (True, False)
    )
    assert with_ is not None
    assert without is None
