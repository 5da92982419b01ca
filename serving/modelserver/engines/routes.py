"""From a loaded SavedModel to functions that an engine runs."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import numpy as np

from serving.modelserver.engines import tensorflow as in_tensorflow
from serving.modelserver.engines.flat import Flat
from serving.modelserver.engines.programs import Program, Route, Unsupported, plan
from serving.modelserver.engines.saved import Arrays

log = logging.getLogger(__name__)

Run = in_tensorflow.Run
Compile = Callable[[Program], Run]
Function = Callable[..., Arrays]

_NUMBERS = "biuf"  # kinds of NumPy's types; how long strings take is not told by their shape


class Network:
    """A program as an engine runs it, with weights of its own. Signatures that compute the same share one."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._rehearsed: dict[tuple[object, ...], Sequence[np.ndarray]] | None = None

    def __call__(self, given: Sequence[np.ndarray]) -> Sequence[np.ndarray]:
        """One array per fetch."""
        if self._rehearsed is None or any(array.dtype.kind not in _NUMBERS for array in given):
            return self._run(given)
        key = tuple((array.shape, array.dtype.str) for array in given)
        if key not in self._rehearsed:
            self._rehearsed[key] = self._run(given)
        return self._rehearsed[key]

    @contextmanager
    def rehearsing(self) -> Iterator[None]:
        """Until the end, numbers of shapes met before are answered as they were then: a run has been warmed up by it,
        whichever signature asked. Nobody else may call meanwhile.
        """
        self._rehearsed = {}
        try:
            yield
        finally:
            self._rehearsed = None


def routed(flat: Flat, compile_: Compile) -> tuple[dict[str, Function], tuple[Network, ...]]:
    """The signatures as an engine runs them, and the networks that they share.

    Args:
        flat: all of them.
        compile_: the engine. A program of which it raises Unsupported is run by TensorFlow.
    """
    routes = plan(flat)
    programs = {id(route.program): route.program for route in routes.values()}
    networks = {key: Network(_compiled(program, compile_)) for key, program in programs.items()}
    functions = {key: _Routed(route, networks[id(route.program)]) for key, route in routes.items()}
    return dict(functions), tuple(networks.values())


def _compiled(program: Program, compile_: Compile) -> Run:
    try:
        return compile_(program)
    except Unsupported as error:
        log.warning("A signature is run by TensorFlow, since OpenVINO cannot: %s", error)
        return in_tensorflow.compiled(program)


class _Routed:
    """One signature along its route. It keeps names of the graph, not the graph, which holds the weights once more."""

    def __init__(self, route: Route, network: Network) -> None:
        first = route.decoder or route.program
        self._aliases = [next(alias for alias, feed in route.inputs.items() if feed == name) for name in first.feeds]
        self._positions = {alias: route.program.fetches.index(fetch) for alias, fetch in route.outputs.items()}
        self._decode = in_tensorflow.compiled(route.decoder) if route.decoder else None
        self._network = network

    def __call__(self, **inputs: np.ndarray) -> Arrays:
        given: Sequence[np.ndarray] = [inputs[alias] for alias in self._aliases]
        answers = self._network(self._decode(given) if self._decode else given)
        return {alias: answers[position] for alias, position in self._positions.items()}
