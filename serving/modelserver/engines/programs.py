"""Which computation answers which signature, so that signatures over one network share it and its weights.

A bundle's `serving_default` is a part of `analyze`, and its `analyze_encoded` is `analyze` behind a decoder of files.
Nothing of a bundle is assumed: the graphs are compared.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from tensorflow.core.framework.graph_pb2 import GraphDef
from tensorflow.core.framework.node_def_pb2 import NodeDef

from serving.modelserver.engines.flat import Flat, node_of

MOST_SPARE = 1.1  # a signature may be answered by a computation with a tenth more operations than its own


@dataclass(frozen=True)
class Program:
    """Tensors in, tensors out: one graph that an engine compiles.

    Attributes:
        flat: the graph it is a part of.
        feeds: the tensors it takes.
        fetches: those it gives.
    """

    flat: Flat
    feeds: tuple[str, ...]
    fetches: tuple[str, ...]

    def graph(self) -> GraphDef:
        """The part by itself."""
        graph, used = GraphDef(), self.flat.cone(self.fetches, stop=self.feeds)
        graph.CopyFrom(self.flat.library)
        graph.node.extend(node for name, node in self.flat.nodes.items() if name in used)
        return graph


@dataclass(frozen=True)
class Route:
    """How one signature is answered.

    Attributes:
        decoder: makes the program's feeds of the signature's inputs; None where they are the same.
        program: computes the answer.
        inputs: alias -> feed of whichever runs first.
        outputs: alias -> fetch of the program.
    """

    decoder: Program | None
    program: Program
    inputs: Mapping[str, str]
    outputs: Mapping[str, str]


def plan(flat: Flat) -> dict[str, Route]:
    """A route for every signature, the largest first: a smaller one may go along."""
    falling = sorted(flat.outputs, key=lambda key: -len(_cone(flat, key)))
    routes: dict[str, Route] = {}
    for key in falling:
        found = (_along(flat, key, other, route) for other, route in routes.items() if route.decoder is None)
        routes[key] = next((route for route in found if route), None) or _own(flat, key)
    # A signature that decodes is larger than the one behind the decoder: look at it again.
    for key, route in routes.items():
        shared = (_along(flat, key, other, routes[other]) for other in routes if routes[other].decoder is None)
        if route.program.feeds == tuple(flat.inputs[key].values()) and (better := next(filter(None, shared), None)):
            routes[key] = better
    return routes
