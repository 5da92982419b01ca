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


class Unsupported(Exception):
    """An engine has no word for an operation of a program."""


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
    """A route for every signature. One that answers more comes first, so that others may go along with it."""
    size = {key: len(flat.cone(aliases.values())) for key, aliases in flat.outputs.items()}
    routes: dict[str, Route] = {}
    hosts: list[str] = []
    for key in sorted(flat.outputs, key=lambda key: (-len(flat.outputs[key]), size[key])):
        fits = (host for host in hosts if size[host] <= MOST_SPARE * size[key])
        found = next(filter(None, (_along(flat, key, routes[host]) for host in fits)), None)
        if found is None:
            hosts.append(key)
        routes[key] = found or _own(flat, key)
    return routes


def _own(flat: Flat, key: str) -> Route:
    inputs, outputs = flat.inputs[key], flat.outputs[key]
    return Route(
        None,
        Program(flat, _read(flat, inputs, outputs.values()), tuple(sorted(set(outputs.values())))),
        inputs,
        outputs,
    )


def _read(flat: Flat, inputs: Mapping[str, str], ends: Iterable[str]) -> tuple[str, ...]:
    """Those of a signature's inputs that some tensors are computed from."""
    used = flat.cone(ends)
    return tuple(name for name in sorted(set(inputs.values())) if name in used)


def _along(flat: Flat, key: str, host: Route) -> Route | None:
    """The signature answered by another one's program, if that computes the same."""
    inputs, outputs = flat.inputs[key], flat.outputs[key]
    if not set(outputs) <= set(host.outputs):
        return None
    pairs = [(outputs[alias], host.outputs[alias]) for alias in outputs]
    cuts = _cuts(flat, pairs, host.program.feeds)
    chosen = {alias: host.outputs[alias] for alias in outputs}
    if cuts == {} and set(host.program.feeds) <= set(inputs.values()):
        return Route(None, host.program, inputs, chosen)
    if not cuts or set(cuts) != set(host.program.feeds) or set(cuts) & flat.cone(outputs.values()):
        return None
    ends = tuple(cuts[feed] for feed in host.program.feeds)
    return Route(Program(flat, _read(flat, inputs, ends), ends), host.program, inputs, chosen)


def _cuts(flat: Flat, pairs: list[tuple[str, str]], feeds: tuple[str, ...]) -> dict[str, str] | None:
    """Feed -> the tensor that stands in its place; empty if every pair is one tensor, None if the graphs differ."""
    cuts: dict[str, str] = {}
    waiting, seen = list(pairs), set(pairs)
    while waiting:
        mine, other = waiting.pop()
        if mine == other:
            continue
        if other in feeds:
            if cuts.setdefault(other, mine) != mine:
                return None
            continue
        below = _operands(flat, mine, other)
        if below is None:
            return None
        waiting += [pair for pair in below if pair not in seen]
        seen.update(below)
    return cuts


def _operands(flat: Flat, mine: str, other: str) -> list[tuple[str, str]] | None:
    """What two tensors are computed from, if by the same operation."""
    one, two = flat.nodes[node_of(mine)], flat.nodes[node_of(other)]
    position = [tensor.partition(":")[2] for tensor in (mine, other)]
    alike = position[0] == position[1] and one.op == two.op != "Placeholder" and len(one.input) == len(two.input)
    return list(zip(one.input, two.input, strict=True)) if alike and _settings(one) == _settings(two) else None


def _settings(node: NodeDef) -> dict[str, bytes]:
    return {
        name: value.SerializeToString(deterministic=True)
        for name, value in node.attr.items()
        if not name.startswith("_")
    }
