"""A SavedModel's signatures as one flat graph: no variables, no function calls, nothing computed twice.

Measured here (`python -m benchmarks.engines`), MobileNetV2 answers from such a graph in about two thirds of the
time it takes with variables: TensorFlow folds constants, joins operations and keeps the weights in oneDNN's own order.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import tensorflow as tf
from tensorflow.core.framework.graph_pb2 import GraphDef
from tensorflow.core.framework.node_def_pb2 import NodeDef
from tensorflow.python.framework import convert_to_constants, op_def_registry

LARGEST_WEIGHTS = 1 << 29  # a graph travels as one protobuf message, and those end at 2 GiB

Function = Callable[..., Mapping[str, tf.Tensor]]
Specs = Mapping[str, Mapping[str, tf.TensorSpec]]


@dataclass(frozen=True)
class Flat:
    """A graph for several signatures. A tensor is named as in a NodeDef: `node` or `node:1`.

    Attributes:
        nodes: by name, each after those it reads.
        library: the bodies of loops and branches.
        inputs: signature -> alias -> tensor; signatures with an equal input share it.
        outputs: signature -> alias -> tensor.
    """

    nodes: Mapping[str, NodeDef]
    library: GraphDef
    inputs: Mapping[str, Mapping[str, str]]
    outputs: Mapping[str, Mapping[str, str]]

    def cone(self, tensors: Iterable[str], *, stop: Iterable[str] = ()) -> set[str]:
        """The nodes that some tensors are computed from, down to the inputs or to `stop`."""
        found, ends, waiting = set(), {node_of(end) for end in stop}, [node_of(tensor) for tensor in tensors]
        while waiting:
            name = waiting.pop()
            if name not in found:
                found.add(name)
                waiting += [] if name in ends else [node_of(read) for read in self.nodes[name].input]
        return found


def node_of(tensor: str) -> str:
    """The node that a tensor comes from."""
    return tensor.split(":")[0].lstrip("^")


def flatten(functions: Mapping[str, Function], specs: Specs, outputs: Mapping[str, Sequence[str]]) -> Flat | None:
    """Puts signatures into one graph with the variables' values as constants.

    Args:
        functions: the signatures as `tf.saved_model.load` gives them.
        specs: type and shape of each one's inputs.
        outputs: the aliases of each one's outputs.

    Returns:
        None where that would change what is answered: the model counts, draws random numbers or looks things up in
        a table; and where it has more than 512 MiB of weights.
    """
    shared: dict[tuple[str, tf.TensorSpec], str] = {}
    inputs = {
        key: {alias: shared.setdefault((alias, spec), f"in_{len(shared)}") for alias, spec in specs[key].items()}
        for key in functions
    }

    def everything(*given: tf.Tensor) -> list[tf.Tensor]:
        by_name = dict(zip(shared.values(), given, strict=True))
        answers = {
            key: function(**{alias: by_name[name] for alias, name in inputs[key].items()})
            for key, function in functions.items()
        }
        return [answers[key][alias] for key in functions for alias in outputs[key]]

    signature = [tf.TensorSpec(spec.shape, spec.dtype, name=name) for (_, spec), name in shared.items()]
    concrete = tf.function(everything, input_signature=signature, autograph=False).get_concrete_function()
    if (
        sum(variable.dtype.size * (variable.shape.num_elements() or 0) for variable in concrete.variables)
        > LARGEST_WEIGHTS
    ):
        return None
    graph = _frozen(concrete)
    if graph is None:
        return None
    names = iter(concrete.outputs)
    ends = {key: {alias: next(names).op.name for alias in outputs[key]} for key in functions}
    return _merged(graph, inputs, ends)


def _frozen(function: tf.types.experimental.ConcreteFunction) -> GraphDef | None:
    """The function with its calls written out and its variables as constants, or None where something keeps a state.

    `convert_variables_to_constants_v2` does this and then, for four fifths of its time, makes a function of it.
    """
    data = convert_to_constants._FunctionConverterDataInEager(
        function, lower_control_flow=False, aggressive_inlining=False
    )
    graph, _ = convert_to_constants._replace_variables_by_constants(converter_data=data)
    return None if any(_keeps_state(node) for node in _all_nodes(graph)) else graph


def _all_nodes(graph: GraphDef) -> Iterator[NodeDef]:
    yield from graph.node
    for function in graph.library.function:
        yield from function.node_def


def _keeps_state(node: NodeDef) -> bool:
    definition = op_def_registry.get(node.op)
    is_resource = node.op == "Placeholder" and node.attr["dtype"].type == tf.resource.as_datatype_enum
    return is_resource or definition is None or definition.is_stateful


def _merged(graph: GraphDef, inputs: Mapping[str, Mapping[str, str]], ends: Mapping[str, Mapping[str, str]]) -> Flat:
    """Keeps one of the nodes that compute the same; where nothing keeps a state, order is by what is read alone."""
    same: dict[str, str] = {}  # node -> node, or the tensor that an Identity passes on
    first: dict[bytes, str] = {}
    nodes: dict[str, NodeDef] = {}
    for node in _in_order(graph):
        reads = [_renamed(read, same) for read in node.input if not read.startswith("^")]
        if node.op == "Identity":
            same[node.name] = reads[0]
            continue
        same[node.name] = first.setdefault(_key(node, reads), node.name)
        if same[node.name] == node.name:
            nodes[node.name] = _with_inputs(node, reads)
    outputs = {key: {alias: same[name] for alias, name in aliases.items()} for key, aliases in ends.items()}
    flat = Flat(nodes, GraphDef(library=graph.library, versions=graph.versions), inputs, outputs)
    used = flat.cone(name for aliases in (*outputs.values(), *inputs.values()) for name in aliases.values())
    return Flat({name: node for name, node in nodes.items() if name in used}, flat.library, inputs, outputs)


def _in_order(graph: GraphDef) -> Iterator[NodeDef]:
    """Every node after those it reads."""
    nodes, done, waiting = {node.name: node for node in graph.node}, set(), [node.name for node in graph.node]
    while waiting:
        name = waiting[-1]
        ahead = [node_of(read) for read in nodes[name].input if node_of(read) not in done]
        if name not in done and not ahead:
            done.add(name)
            yield nodes[name]
        if ahead:
            waiting += ahead
        else:
            waiting.pop()


def _renamed(tensor: str, same: Mapping[str, str]) -> str:
    name, _, position = tensor.partition(":")
    return f"{same[name]}:{position}" if position and position != "0" else same[name]


def _key(node: NodeDef, reads: list[str]) -> bytes:
    told = hashlib.sha256(repr((node.op, reads, node.name if node.op == "Placeholder" else "")).encode())
    for name in sorted(node.attr):
        if not name.startswith("_"):
            told.update(name.encode() + node.attr[name].SerializeToString(deterministic=True))
    return told.digest()


def _with_inputs(node: NodeDef, reads: list[str]) -> NodeDef:
    del node.input[:]
    node.input.extend(reads)
    node.attr.pop("_class", None)  # a wish to stand beside nodes that may be gone
    return node
