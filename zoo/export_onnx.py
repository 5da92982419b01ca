"""A Keras classifier becomes one ONNX file, for runtimes that are not TensorFlow's; the optional extra `[onnx]`.

The way out is tf2onnx, which works with TensorFlow 2.21 and protobuf 7. Keras' own `Model.export(format="onnx")` goes
through the same converter, but only for the bare network, without calibration and evidence.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
import tensorflow as tf

from zoo import bundles, disk, errors
from zoo.cards import RESEARCH_USE_ONLY, InputSpec, ModelCard
from zoo.signatures import ANALYZE, Answers, Served

if TYPE_CHECKING:
    import onnx

OPSET = 17
TOLERANCE = 1e-4
CHECKED_BATCHES = (1, 3)
WHAT_NOW = (
    "Export a bundle instead (--format bundle), and report the backbone and the versions of tf2onnx and onnxruntime."
)


def export_onnx(model: keras.Model, card: ModelCard, path: Path) -> Path:
    """Writes `path` and, beside it, its card (`<path without .onnx>.card.json`), once the file has been tried.

    The file takes `image`, uint8 [B, height, width, channels] as the card says, and gives what the signature
    `analyze` of a bundle gives: `probability` and `logit` f32 [B, L], `evidence` f32 [B, h, w, L] and `embedding`
    f32 [B, K].

    Args:
        model: a classifier that gives logits (`zoo.models.classifier.build`), trained.
        card: its card; `weights_sha256` becomes that of the whole file.
        path: ends in .onnx; a file of that name is replaced.

    Returns:
        The card's path.

    Raises:
        BadConfig: the name does not end in .onnx, the folder cannot be written, or ONNX
            Runtime answers otherwise than the model. Then neither file is written or touched.
    """
    if path.suffix != ".onnx":
        raise errors.BadConfig(f"The ONNX file is to be called {path.name}; give a name that ends in .onnx.")
    analyze = Served(model, card).functions[ANALYZE]
    try:
        with disk.whole(path) as draft:
            draft.write_bytes(_converted(analyze, card).SerializeToString())
            check(draft, analyze, card)
            filled = card.model_copy(update={"weights_sha256": bundles.sha256_of(draft)})
            disk.write_whole(card_path(path), filled.to_json())
    except OSError as error:
        raise errors.BadConfig(f"{path} cannot be written: {error.strerror}. Name another with --out.") from None
    return card_path(path)


def check(path: Path, analyze: Any, card: ModelCard) -> None:
    """Compares an ONNX file's answers, by ONNX Runtime, with a model's on random pictures, one and several at once.

    Args:
        path: the file.
        analyze: takes uint8 [B, height, width, channels], gives the answers by name.
        card: for the size of the pictures.

    Raises:
        BadConfig: an answer is missing, or off by more than 1e-4 (of the largest value, where that is above 1).
    """
    import onnxruntime

    session = onnxruntime.InferenceSession(os.fspath(path), providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    for batch in CHECKED_BATCHES:
        pixels = _noise(card.input, batch)
        found = dict(zip(names, session.run(None, {"image": pixels}), strict=True))
        _compare(found, analyze(tf.constant(pixels)))


def card_path(path: Path) -> Path:
    """Where the card of an ONNX file lies."""
    return path.with_name(f"{path.stem}.card.json")


def _converted(analyze: Any, card: ModelCard) -> onnx.ModelProto:
    import onnx
    import tf2onnx

    spec = card.input
    image = tf.TensorSpec([None, spec.height, spec.width, spec.channels], tf.uint8, name="image")
    proto, _ = tf2onnx.convert.from_function(analyze, input_signature=[image], opset=OPSET)
    facts = {"name": card.name, "labels": json.dumps(card.label_names), "notice": RESEARCH_USE_ONLY}
    onnx.helper.set_model_props(proto, facts)
    return proto


def _noise(spec: InputSpec, batch: int) -> np.ndarray:
    shape = (batch, spec.height, spec.width, spec.channels)
    return np.random.default_rng(batch).integers(0, 256, shape, dtype=np.uint8)


def _compare(found: dict[str, np.ndarray], expected: Answers) -> None:
    missing = sorted(set(expected) - set(found))
    if missing:
        raise errors.BadConfig(f"The ONNX file lacks {', '.join(missing)}; it was not kept. {WHAT_NOW}")
    for name, tensor in expected.items():
        # A logit is the mean of evidence of both signs: near zero, digits cancel.
        scale = expected["evidence" if name == "logit" else name].numpy()
        most = TOLERANCE * max(1.0, float(np.abs(scale).max()))
        off = float(np.abs(found[name] - tensor.numpy()).max())
        if not off <= most:  # neither is a NaN
            raise errors.BadConfig(
                f"ONNX Runtime's {name} is off by {off:.2g}, more than {most:.2g}; the file was not kept. {WHAT_NOW}"
            )
