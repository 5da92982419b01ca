"""What computes a SavedModel's signatures on the processor: TensorFlow, or OpenVINO in its place."""

from __future__ import annotations

from functools import partial

from serving.modelserver.engines import tensorflow
from serving.modelserver.engines.apart import flattened_apart
from serving.modelserver.engines.flat import flatten
from serving.modelserver.engines.routes import Compile, Network, routed
from zoo import extras

__all__ = ["Compile", "Network", "engine_named", "flatten", "flattened_apart", "routed"]


def engine_named(name: str, precision: str = "") -> Compile:
    """The engine of that name (`options.ENGINES`); OpenVINO is imported only here.

    Args:
        precision: bfloat16, which OpenVINO alone computes in, or empty for float32.

    Raises:
        MissingExtra: it is not installed.
    """
    if name == "tensorflow":
        return tensorflow.compiled
    extras.need("openvino", "`kerascope serve --engine openvino`")
    from serving.modelserver.engines.openvino import compiled

    return partial(compiled, bfloat16=precision == "bfloat16")
