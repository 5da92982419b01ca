"""The self-test: one known image through SavedModel, embedded model server and gateway, against stored answers.

A process of its own, `python -m serving.doctor.selftest [FOLDER]`, because TensorFlow ends the process on a processor
that it was not built for. It prints one JSON object a line, a `Check` each, as soon as it is known.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

import numpy as np
import numpy.typing as npt

from serving.doctor.checks import Check, State, without_paths
from serving.doctor.known import HERE, NAME, OUTPUTS, TOLERANCE, VERSION, FloatArray, Known
from zoo import errors, terminal
from zoo.bundles import Bundle
from zoo.imaging.image import read

PART = "self-test"
STEPS = ("TensorFlow", "SavedModel", "embedded model server", "gateway")
WAIT_S = 20.0
_COMPUTES_OTHERWISE = (
    "This machine computes something else. Look at what is unusual in this report; "
    "TF_ENABLE_ONEDNN_OPTS=0 or ONEDNN_MAX_CPU_ISA=AVX2 shows whether it is oneDNN."
)


def run(known: Known) -> Iterator[Check]:
    """One check for each of STEPS, in that order; what goes wrong on the way is raised."""
    yield Check(PART, "TensorFlow", _tensorflow())
    image = read(known.image).pixels
    with tempfile.TemporaryDirectory() as scratch:
        bundle = known.unpack(Path(scratch))
        yield _compared(known, "SavedModel", saved_model_answers(bundle, image))
        with _model_server(bundle) as port:
            yield _compared(known, "embedded model server", _model_server_answers(bundle, image, port))
            yield _compared(known, "gateway", _gateway_answers(Path(scratch), port, known.image))


def _tensorflow() -> str:
    terminal.load_tensorflow()
    import keras
    import tensorflow as tf

    tf.config.experimental.enable_tensor_float_32_execution(False)  # the stored answers are float32's
    gpus = [
        str(tf.config.experimental.get_device_details(gpu).get("device_name", "a GPU"))
        for gpu in tf.config.list_physical_devices("GPU")
    ]
    return f"{tf.__version__} with Keras {keras.__version__}; GPUs that it sees: {', '.join(gpus) or 'none'}"


def _compared(known: Known, step: str, answers: dict[str, FloatArray]) -> Check:
    difference = known.difference(answers)
    found = f"differs from the stored answer by {difference:.1e} of its size, allowed is {TOLERANCE:.0e}"
    if difference <= TOLERANCE:
        return Check(PART, step, found)
    return Check(PART, step, found, State.WRONG, _COMPUTES_OTHERWISE)


def saved_model_answers(bundle: Bundle, image: npt.NDArray[np.uint8]) -> dict[str, FloatArray]:
    """What the signature `analyze` of a bundle's SavedModel answers.

    Args:
        bundle: whose input is grey.
        image: uint8 [H, W].

    Returns:
        By output, without the batch's axis.
    """
    import tensorflow as tf

    analyze = tf.saved_model.load(str(bundle.path)).signatures["analyze"]
    return {name: value.numpy()[0] for name, value in analyze(image=tf.constant(image[None, ..., None])).items()}


@contextmanager
def _model_server(bundle: Bundle) -> Iterator[int]:
    from serving.modelserver.options import Options
    from serving.modelserver.server import create_server

    server = create_server(Options(port=0, model_name=bundle.name, model_base_path=str(bundle.path.parent)))
    server.start()
    try:
        if not server.wait_until_settled(WAIT_S):
            raise errors.BackendTimeout(f"The bundle was not loaded within {WAIT_S:.0f} s.")
        yield server.port
    finally:
        server.stop(0)


def _model_server_answers(bundle: Bundle, image: npt.NDArray[np.uint8], port: int) -> dict[str, FloatArray]:
    from serving.tfserving import ModelServer

    server = ModelServer(f"localhost:{port}")
    try:
        raw = server.analyze(bundle.card, image[..., None], timeout_s=WAIT_S, embedding=True)
    finally:
        server.close()
    return {name: getattr(raw, name) for name in OUTPUTS}


def _gateway_answers(registry: Path, port: int, image: bytes) -> dict[str, FloatArray]:
    from serving.client import Client
    from serving.server import create_server
    from serving.settings import Settings

    chosen = {"registry": registry, "model_server": f"localhost:{port}", "port": 0, "insecure": True}
    gateway = create_server(Settings.from_environment({}, **chosen))
    gateway.start()
    try:
        with Client(gateway.address, timeout_s=WAIT_S) as client:
            client.wait_until_ready(NAME, WAIT_S)
            analysis = client.analyze(image, model=NAME, version=VERSION, embedding=True)
    finally:
        gateway.stop(0)
    return {
        "probability": np.array([finding.probability for finding in analysis.findings], np.float32),
        "logit": np.array([finding.logit for finding in analysis.findings], np.float32),
        "evidence": np.stack([finding.evidence for finding in analysis.findings], axis=-1),
        "embedding": np.asarray(analysis.embedding, np.float32),
    }


def _failed(step: str, error: Exception) -> Check:
    said = str(error) if isinstance(error, errors.KerascopeError) else f"{type(error).__name__}: {error}"
    return Check(PART, step, without_paths(said.strip() or repr(error)), State.WRONG, "Send this report.")


def main(known: Known) -> None:
    """Prints the checks; the first that fails is the last."""
    checks = run(known)
    for step in STEPS:
        began = time.monotonic()
        try:
            check, failed = next(checks), False
        except Exception as error:
            check, failed = _failed(step, error), True
        print(json.dumps({**asdict(check), "seconds": round(time.monotonic() - began, 1)}), flush=True)
        if failed:
            return


if __name__ == "__main__":
    main(Known(Path(sys.argv[1]) if len(sys.argv) > 1 else HERE))
