"""A program run by OpenVINO, the optional extra `[openvino]`."""

from __future__ import annotations

import os
import queue
import tempfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np
import openvino as ov

from serving.modelserver.engines.programs import Program, Unsupported
from serving.modelserver.engines.tensorflow import Run

# In 32 bits: by itself OpenVINO takes bfloat16 where the processor has it, and is off by a hundredth.
# Its threads are not bound to cores, for others want those too.
SETTINGS = {"INFERENCE_PRECISION_HINT": "f32", "PERFORMANCE_HINT": "LATENCY", "ENABLE_CPU_PINNING": False}


@cache
def _core() -> ov.Core:
    return ov.Core()


def compiled(program: Program, *, bfloat16: bool = False) -> Run:
    """The program as a function of arrays, one per feed, that gives one per fetch. Any number of threads may call it.

    Args:
        bfloat16: compute in it where the processor can.

    Raises:
        Unsupported: OpenVINO cannot read the graph, or not all of it.
    """
    try:
        settings = SETTINGS | {"INFERENCE_PRECISION_HINT": "bf16"} if bfloat16 else SETTINGS
        model = _core().compile_model(_read(program), "CPU", settings)
    except RuntimeError as error:
        reasons = [line.removeprefix("-- ") for line in str(error).splitlines() if line.startswith("-- ")]
        raise Unsupported("; ".join(reasons) or "its reader refuses the graph") from None
    inputs = [_position(model.inputs, feed) for feed in program.feeds]
    outputs = [_position(model.outputs, _end(number)) for number in range(len(program.fetches))]
    return _Requests(model, inputs, outputs)


class _Requests:
    """OpenVINO's infer requests, each used by one call at a time; as many as there were calls at once."""

    def __init__(self, model: ov.CompiledModel, inputs: list[int], outputs: list[int]) -> None:
        self._model, self._inputs, self._outputs = model, inputs, outputs
        self._free: queue.LifoQueue[ov.InferRequest] = queue.LifoQueue()

    def __call__(self, given: Sequence[np.ndarray]) -> Sequence[np.ndarray]:
        request = self._taken()
        try:
            request.infer(dict(zip(self._inputs, given, strict=True)), share_inputs=True, share_outputs=True)
            return [request.get_output_tensor(position).data.copy() for position in self._outputs]
        finally:
            self._free.put(request)

    def _taken(self) -> ov.InferRequest:
        try:
            return self._free.get_nowait()
        except queue.Empty:
            return self._model.create_infer_request()


def _position(ports: Sequence[ov.ConstOutput], node: str) -> int:
    found = [position for position, port in enumerate(ports) if {node, f"{node}:0"} & port.get_names()]
    if not found:
        raise Unsupported("its reader leaves out an input or an output")
    return found[0]


def _end(number: int) -> str:
    return f"out_{number}"


def _read(program: Program) -> ov.Model:
    """By a file, which OpenVINO's reader wants; the ends are named, for it gives only what nothing else reads."""
    graph = program.graph()
    for number, fetch in enumerate(program.fetches):
        graph.node.add(name=_end(number), op="Identity", input=[fetch])
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "frozen.pb"
        path.write_bytes(graph.SerializeToString())
        return _core().read_model(os.fspath(path))
