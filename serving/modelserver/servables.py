"""One loaded version of a model: a SavedModel with its signatures."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tensorflow as tf
from google.protobuf import text_format
from tensorflow.core.protobuf.meta_graph_pb2 import SignatureDef
from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

from serving.modelserver.engines import Network, engine_named, flatten, flattened_apart, routed
from serving.modelserver.engines.flat import Flat
from serving.modelserver.engines.saved import Arrays, as_saved

log = logging.getLogger(__name__)

SERVE_TAG = "serve"


@dataclass(frozen=True)
class Signature:
    """One question that a model answers.

    Attributes:
        name: its key in the SavedModel.
        definition: inputs, outputs and defaults as the SavedModel states them.
        function: takes one array per input, by keyword; gives one array per output, by name.
        inputs: type and shape of each input.
    """

    name: str
    definition: SignatureDef
    function: Callable[..., Arrays]
    inputs: Mapping[str, tf.TensorSpec]


@dataclass(frozen=True)
class Servable:
    """One version of one model, ready to answer. Its functions may be called from any thread.

    Attributes:
        name: the model's.
        version: its number.
        signatures: those that can be called, by name.
        signature_defs: all that the SavedModel lists, as GetModelMetadata gives them.
        loaded: the SavedModel itself, where a function still needs it: it owns the weights and must outlive those.
        networks: what its functions share, where they are not the SavedModel's own.
    """

    name: str
    version: int
    signatures: Mapping[str, Signature]
    signature_defs: Mapping[str, SignatureDef]
    loaded: Any
    networks: Sequence[Network] = ()


def load(
    name: str, version: int, folder: Path, *, engine: str = "tensorflow", precision: str = "", apart: bool = False
) -> Servable:
    """Reads a SavedModel, of TensorFlow 1 or 2, with its weights, for an engine to run.

    Args:
        name: the model's.
        version: its number.
        folder: its files.
        engine: one of `options.ENGINES`.
        precision: see `Options.mixed_precision`.
        apart: most of the work is done by a process of its own, so that calls under way are not held up.

    Raises:
        BadConfig: the engine is not installed.
        tf.errors.NotFoundError: it holds no graph tagged "serve".
        Exception: whatever TensorFlow makes of a damaged one.
    """
    compile_, definitions = engine_named(engine, precision), _signature_defs(folder)
    loaded: Any = None
    flat = flattened_apart(folder) if apart else None
    if flat is None:
        loaded = tf.saved_model.load(str(folder), tags=[SERVE_TAG])
        flat = _flattened(loaded, definitions)
    networks: Sequence[Network] = ()
    if flat is None:
        run = {key: as_saved(function) for key, function in loaded.signatures.items()}
    else:
        run, networks = routed(flat, compile_)
    signatures = {key: Signature(key, definitions[key], run[key], _specs(definitions[key])) for key in run}
    return Servable(name, version, signatures, definitions, loaded if flat is None else None, networks)


def flattened(folder: Path) -> Flat | None:
    """A SavedModel's signatures as one graph, or None where that would change what they answer (`flatten`)."""
    return _flattened(tf.saved_model.load(str(folder), tags=[SERVE_TAG]), _signature_defs(folder))


def _flattened(loaded: Any, definitions: Mapping[str, SignatureDef]) -> Flat | None:
    saved = dict(loaded.signatures)
    specs = {key: _specs(definitions[key]) for key in saved}
    try:
        return flatten(saved, specs, {key: tuple(definitions[key].outputs) for key in saved})
    except Exception as error:  # TensorFlow's converter is not made for every graph, and says so in many ways
        log.info("The graph is served as it was saved: %s", error)
        return None


def _signature_defs(folder: Path) -> dict[str, SignatureDef]:
    saved = SavedModel()
    if (folder / "saved_model.pb").is_file():
        saved.ParseFromString((folder / "saved_model.pb").read_bytes())
    else:
        text_format.Parse((folder / "saved_model.pbtxt").read_text(encoding="utf-8"), saved)
    for graph in saved.meta_graphs:
        if set(graph.meta_info_def.tags) == {SERVE_TAG}:
            copies = {key: SignatureDef() for key in graph.signature_def}
            for key, copy in copies.items():
                copy.CopyFrom(graph.signature_def[key])
            return copies
    raise tf.errors.NotFoundError(
        None, None, f"Could not find meta graph def matching supplied tags: {{ {SERVE_TAG} }}"
    )


def _specs(definition: SignatureDef) -> dict[str, tf.TensorSpec]:
    return {
        alias: tf.TensorSpec(tf.TensorShape(info.tensor_shape), tf.as_dtype(info.dtype))
        for alias, info in definition.inputs.items()
    }
