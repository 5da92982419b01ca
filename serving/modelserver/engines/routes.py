"""From a loaded SavedModel to functions that an engine runs."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

import numpy as np

from serving.modelserver.engines import tensorflow as in_tensorflow
from serving.modelserver.engines.flat import Flat
from serving.modelserver.engines.programs import Program, Route, Unsupported, plan
from serving.modelserver.engines.saved import Arrays

log = logging.getLogger(__name__)

Run = in_tensorflow.Run
Compile = Callable[[Program], Run]
Function = Callable[..., Arrays]


def routed(flat: Flat, compile_: Compile) -> dict[str, Function]:
    """The signatures as an engine runs them, with weights of their own.

    Args:
        flat: all of them.
        compile_: the engine. A program of which it raises Unsupported is run by TensorFlow.
    """
    routes = plan(flat)
    programs = {id(route.program): route.program for route in routes.values()}
    runs = {key: _compiled(program, compile_) for key, program in programs.items()}
    return {key: _Routed(route, runs[id(route.program)]) for key, route in routes.items()}


def _compiled(program: Program, compile_: Compile) -> Run:
    try:
        return compile_(program)
    except Unsupported as error:
        log.warning("A signature is run by TensorFlow, since OpenVINO cannot: %s", error)
        return in_tensorflow.compiled(program)


class _Routed:
    """One signature along its route. It keeps names of the graph, not the graph, which holds the weights once more."""

    def __init__(self, route: Route, run: Run) -> None:
        first = route.decoder or route.program
        self._aliases = [next(alias for alias, feed in route.inputs.items() if feed == name) for name in first.feeds]
        self._positions = {alias: route.program.fetches.index(fetch) for alias, fetch in route.outputs.items()}
        self._decode = in_tensorflow.compiled(route.decoder) if route.decoder else None
        self._run = run

    def __call__(self, **inputs: np.ndarray) -> Arrays:
        given: Sequence[np.ndarray] = [inputs[alias] for alias in self._aliases]
        answers = self._run(self._decode(given) if self._decode else given)
        return {alias: answers[position] for alias, position in self._positions.items()}
