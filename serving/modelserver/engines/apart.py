"""A SavedModel flattened by a process of its own, at a lower priority.

Reading a SavedModel and freezing it takes seconds of Python. In the server's own process the calls under way would wait
for that; here they come before it.
"""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from tensorflow.core.framework.graph_pb2 import GraphDef

from serving.modelserver.engines.flat import Flat

log = logging.getLogger(__name__)

READER = "serving.modelserver.reader"
LONGEST_S = 900
GRAPH, NAMES = "graph.pb", "names.json"


def flattened_apart(folder: Path) -> Flat | None:
    """What `flatten` makes of a SavedModel; None where it makes nothing of it, or the process fails."""
    with tempfile.TemporaryDirectory() as scratch:
        command = [sys.executable, "-m", READER, str(folder), scratch]
        environment = os.environ | {"CUDA_VISIBLE_DEVICES": "-1"}
        try:
            subprocess.run(command, check=True, capture_output=True, timeout=LONGEST_S, env=environment)
        except (OSError, subprocess.SubprocessError) as error:
            log.info("%s is read by the server itself: %s", folder, error)
            return None
        return _read(Path(scratch))


def _read(scratch: Path) -> Flat | None:
    if not (scratch / NAMES).is_file():
        return None
    graph = GraphDef.FromString((scratch / GRAPH).read_bytes())
    names = json.loads((scratch / NAMES).read_text("utf-8"))
    library = GraphDef(library=graph.library, versions=graph.versions)
    return Flat({node.name: node for node in graph.node}, library, names["inputs"], names["outputs"])


def write(flat: Flat, scratch: Path) -> None:
    """What the process leaves behind."""
    graph = GraphDef(library=flat.library.library, versions=flat.library.versions)
    graph.node.extend(flat.nodes.values())
    (scratch / GRAPH).write_bytes(graph.SerializeToString())
    (scratch / NAMES).write_text(json.dumps({"inputs": flat.inputs, "outputs": flat.outputs}), "utf-8")
