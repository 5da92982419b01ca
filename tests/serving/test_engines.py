"""Engines of the embedded model server answer as the SavedModel does, whatever they make of its graph."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from serving.modelserver.engines import Network, routed
from serving.modelserver.engines.apart import READER
from serving.modelserver.engines.flat import Flat, flatten
from serving.modelserver.engines.programs import Program, plan
from serving.modelserver.engines.tensorflow import Run, compiled
from serving.modelserver.options import Options
from serving.modelserver.servables import load
from serving.modelserver.server import create_server
from tests.serving.model_server_client import Client, predict_request
from tests.serving.tiny_models import write_line
from zoo.errors import BadConfig

pytestmark = pytest.mark.slow

SIDE = 12
Answers = dict[str, np.ndarray]


class Pictures(tf.Module):
    """A network of two convolutions with a batch norm, asked as a bundle is: plainly, for its maps, and by files."""

    def __init__(self) -> None:
        super().__init__()
        draw = tf.random.Generator.from_seed(1)
        self.first = tf.Variable(draw.normal([3, 3, 1, 8]))
        self.second = tf.Variable(draw.normal([3, 3, 8, 4]))
        self.gamma = tf.Variable(draw.uniform([8], 0.5, 2))
        self.beta = tf.Variable(draw.normal([8]))

    def network(self, image: tf.Tensor) -> dict[str, tf.Tensor]:
        maps = tf.nn.conv2d(tf.cast(image, tf.float32) / 255, self.first, 1, "SAME")
        zeros, ones = tf.zeros([8]), tf.ones([8])
        maps = tf.nn.relu(tf.nn.batch_normalization(maps, zeros, ones, self.beta, self.gamma, 1e-3))
        maps = tf.nn.conv2d(maps, self.second, 2, "SAME")
        logit = tf.reduce_mean(maps, (1, 2))
        return {"logit": logit, "probability": tf.sigmoid(logit), "evidence": maps}

    def plain(self, image: tf.Tensor) -> dict[str, tf.Tensor]:
        answers = self.network(image)
        return {name: answers[name] for name in ("logit", "probability")}

    def files(self, encoded: tf.Tensor) -> dict[str, tf.Tensor]:
        def one(data: tf.Tensor) -> tf.Tensor:
            return tf.ensure_shape(tf.io.decode_png(data, channels=1), [SIDE, SIDE, 1])

        return self.network(tf.map_fn(one, encoded, fn_output_signature=tf.TensorSpec([SIDE, SIDE, 1], tf.uint8)))


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of its version 1."""
    module, folder = Pictures(), tmp_path_factory.mktemp("pictures") / "1"
    image, encoded = (
        tf.TensorSpec([None, SIDE, SIDE, 1], tf.uint8, "image"),
        tf.TensorSpec([None], tf.string, "encoded"),
    )
    module.functions = [
        tf.function(module.plain, [image]),
        tf.function(module.network, [image]),
        tf.function(module.files, [encoded]),
    ]
    names = ("serving_default", "analyze", "analyze_encoded")
    tf.saved_model.save(module, str(folder), signatures=dict(zip(names, module.functions, strict=True)))
    return folder


@pytest.fixture(params=["tensorflow", "openvino"])
def engine(request: pytest.FixtureRequest) -> str:
    if request.param == "openvino":
        pytest.importorskip("openvino")
    return str(request.param)


def images(number: int, seed: int = 0) -> tf.Tensor:
    return tf.constant(np.random.default_rng(seed).integers(0, 256, (number, SIDE, SIDE, 1), np.uint8))


def asked(signature: str, pixels: tf.Tensor) -> dict[str, tf.Tensor]:
    if signature == "analyze_encoded":
        return {"encoded": tf.stack([tf.io.encode_png(picture) for picture in pixels])}
    return {"image": pixels}


def arrays(answers: dict[str, tf.Tensor]) -> Answers:
    return {name: tensor.numpy() for name, tensor in answers.items()}


def assert_close(found: Answers, expected: Answers) -> None:
    assert set(found) == set(expected)
    for name, array in expected.items():
        np.testing.assert_allclose(found[name], array, atol=1e-4, err_msg=name)


@pytest.mark.parametrize("signature", ["serving_default", "analyze", "analyze_encoded"])
def test_every_signature_answers_as_the_saved_model(engine, signature, pictures):
    saved = tf.saved_model.load(str(pictures)).signatures[signature]
    function = load("pictures", 1, pictures, engine=engine).signatures[signature].function
    for batch in (1, 3):
        inputs = asked(signature, images(batch))
        expected = arrays(saved(**inputs))
        assert np.abs(expected["logit"]).max() > 0.1  # there is something to get wrong
        assert_close(function(**arrays(inputs)), expected)


def test_in_bfloat16_openvino_is_off_by_a_hundredth_at_most(pictures):
    openvino = pytest.importorskip("openvino")
    inputs = asked("analyze", images(3))
    exact, found = (
        load("pictures", 1, pictures, engine="openvino", precision=precision)
        .signatures["analyze"]
        .function(**arrays(inputs))
        for precision in ("", "bfloat16")
    )
    assert np.abs(found["probability"] - exact["probability"]).max() < 1e-2
    for name, array in exact.items():
        assert np.abs(found[name] - array).max() < 1e-2 * max(1, np.abs(array).max()), name
    has_it = "BF16" in openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    assert np.array_equal(found["evidence"], exact["evidence"]) != has_it


def test_mixed_precision_is_openvinos_and_bfloat16():
    for wrong in ({"mixed_precision": "bfloat16"}, {"mixed_precision": "float16", "engine": "openvino"}):
        with pytest.raises(BadConfig, match="it may be bfloat16 with engine openvino"):
            Options(model_base_path="/m", **wrong)


def test_the_saved_model_is_not_kept_beside_the_engines_weights(engine, pictures):
    servable = load("pictures", 1, pictures, engine=engine)
    gc.collect()
    assert servable.loaded is None
    for name, signature in servable.signatures.items():  # a loop's body goes with the SavedModel it came from
        assert len(signature.function(**arrays(asked(name, images(2))))["logit"]) == 2


def test_many_threads_get_their_own_answers(engine, pictures):
    function = load("pictures", 1, pictures, engine=engine).signatures["analyze"].function
    batches = [images(1 + seed % 3, seed).numpy() for seed in range(24)]
    alone = [function(image=batch) for batch in batches]
    with ThreadPoolExecutor(8) as threads:
        together = list(threads.map(lambda batch: function(image=batch), batches))
    for found, expected in zip(together, alone, strict=True):
        assert_close(found, expected)


def test_signatures_over_one_network_share_it_and_only_the_files_are_decoded_apart(pictures):
    routes = plan(flat(pictures))
    assert len({id(route.program) for route in routes.values()}) == 1
    assert [name for name, route in routes.items() if route.decoder] == ["analyze_encoded"]


def test_a_rehearsal_runs_what_signatures_share_once_for_each_shape(pictures):
    runs: list[tuple[int, ...]] = []

    def counting(program: Program) -> Run:
        run = compiled(program)
        return lambda given: (runs.append(given[0].shape), run(given))[1]

    functions, networks = routed(flat(pictures), counting)
    with ExitStack() as rehearsal:
        for network in networks:
            rehearsal.enter_context(network.rehearsing())
        for name, function in functions.items():
            for number in (1, 2, 1):
                function(**arrays(asked(name, images(number))))
    assert sorted(runs) == [(1, SIDE, SIDE, 1), (2, SIDE, SIDE, 1)]
    saved = tf.saved_model.load(str(pictures))
    for name, function in functions.items():  # afterwards each call has an answer of its own
        for seed in (3, 4):
            inputs = asked(name, images(2, seed))
            assert_close(function(**arrays(inputs)), arrays(saved.signatures[name](**inputs)))


def test_a_rehearsal_runs_every_text_for_its_shape_does_not_tell_what_it_takes():
    network = Network(lambda given: [given[0].copy()])
    with network.rehearsing():
        answers = [network([np.array([text], object)])[0].tolist() for text in (b"short", b"long")]
    assert answers == [[b"short"], [b"long"]]


def test_signatures_that_compute_something_else_are_kept_apart(tmp_path):
    twice = written(tmp_path, {"double": lambda x: {"y": 2.0 * x}, "treble": lambda x: {"y": 3.0 * x}})
    functions = load("constants", 1, twice, engine="tensorflow").signatures
    x = np.array([1.0, 5.0], np.float32)
    assert functions["double"].function(x=x)["y"].tolist() == [2, 10]
    assert functions["treble"].function(x=x)["y"].tolist() == [3, 15]


def test_a_model_that_counts_goes_on_counting(engine, tmp_path):
    counter = tf.Variable(0.0)
    folder = written(tmp_path, {"serving_default": lambda x: {"count": counter.assign_add(tf.reduce_sum(x))}}, counter)
    servable = load("counter", 1, folder, engine=engine)
    count = servable.signatures["serving_default"].function
    assert [float(count(x=np.array([2.0], np.float32))["count"]) for _ in range(3)] == [2, 4, 6]


def test_a_version_read_by_a_process_of_its_own_answers_as_the_saved_model(pictures):
    saved = tf.saved_model.load(str(pictures))
    servable = load("pictures", 1, pictures, apart=True)
    assert servable.loaded is None
    for name, signature in servable.signatures.items():
        inputs = asked(name, images(3))
        assert_close(signature.function(**arrays(inputs)), arrays(saved.signatures[name](**inputs)))


def test_the_process_that_reads_a_version_comes_behind_all_others_and_does_without_keras(pictures, tmp_path):
    told = "import os; print(os.sched_getscheduler(0), [name for name in sys.modules if name.startswith('keras.')])"
    run = f"import sys; from pathlib import Path; from {READER} import main; main(*map(Path, sys.argv[1:])); {told}"
    command = [sys.executable, "-c", run, str(pictures), str(tmp_path)]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert said.strip() == f"{os.SCHED_IDLE} []"
    assert (tmp_path / "graph.pb").is_file()


def test_what_a_process_of_its_own_cannot_flatten_is_read_by_the_server(tmp_path):
    counter = tf.Variable(0.0)
    folder = written(tmp_path, {"serving_default": lambda x: {"count": counter.assign_add(tf.reduce_sum(x))}}, counter)
    count = load("counter", 1, folder, apart=True).signatures["serving_default"].function
    assert [float(count(x=np.array([2.0], np.float32))["count"]) for _ in range(2)] == [2, 4]


def test_what_openvino_cannot_read_is_run_by_tensorflow(tmp_path, caplog):
    pytest.importorskip("openvino")
    servable = load("line", 1, write_line(tmp_path, 1), engine="openvino")
    greeted = servable.signatures["names"].function(name=np.array([b"Ada"], object))
    number = servable.signatures["picky"].function(text=np.array([b"2.5"], object))
    assert greeted["greeting"].tolist() == [b"hello Ada"]
    assert number["number"].tolist() == [2.5]
    assert (
        "run by TensorFlow, since OpenVINO cannot: No conversion rule found for operations: StringToNum" in caplog.text
    )


def test_a_server_with_openvino_answers_by_the_wire(tmp_path):
    pytest.importorskip("openvino")
    write_line(tmp_path, 3)
    server = create_server(Options(port=0, model_name="line", model_base_path=str(tmp_path), engine="openvino"))
    server.start()
    try:
        assert server.wait_until_settled(60)
        answer = Client(f"localhost:{server.port}").predict(predict_request())
    finally:
        server.stop(0)
    assert tf.make_ndarray(answer.outputs["y"]).tolist() == [[5, 7, 9]]  # 2 x + 3


def test_an_engine_that_is_not_there_is_refused_by_name():
    with pytest.raises(BadConfig, match="engine is 'onnx'; it must be one of tensorflow, openvino"):
        Options(model_base_path="/models", engine="onnx")


def flat(folder: Path) -> Flat | None:
    loaded = tf.saved_model.load(str(folder))
    saved = loaded.signatures
    specs = {
        key: {
            alias: tf.TensorSpec(spec.shape, spec.dtype)
            for alias, spec in function.structured_input_signature[1].items()
        }
        for key, function in saved.items()
    }
    return flatten(dict(saved), specs, {key: list(function.structured_outputs) for key, function in saved.items()})


def written(folder: Path, functions: dict[str, Callable], *variables: tf.Variable) -> Path:
    """A SavedModel of functions of x."""
    module = tf.Module()
    module.variables_held = variables
    spec = tf.TensorSpec([None], tf.float32, "x")
    module.held = {name: tf.function(function, [spec]) for name, function in functions.items()}
    tf.saved_model.save(module, str(folder / "1"), signatures=dict(module.held))
    return folder / "1"
