"""A DICOM node between real programs, for the tests that send to it and look at what comes out.

make_file   a radiograph of a study of its own, as a file
start_node  a node beside a real gateway with the same store
scp         dcmtk's storescp, which writes what it gets into a folder
orthanc     a PACS, with its DICOMweb plugin
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from benchmarks.processes import free_port
from serving.hospital.config import NodeConfig
from serving.hospital.node import Node
from serving.server import Gateway
from serving.store.store import Store
from tests.conftest import TINY
from tests.serving.hospital.peers import Orthanc, StoreScp

RULE = {"model": TINY, "modality": ["CR", "DX"]}
MakeFile = Callable[..., Path]
StartNode = Callable[..., SimpleNamespace]


@pytest.fixture
def make_file(tmp_path: Path, make_dicom) -> MakeFile:
    """make_file(number=1, **attributes): a radiograph of a study of its own."""

    def make(number: int = 1, **attributes: object) -> Path:
        uids = {"StudyInstanceUID": f"1.2.{number}", "SeriesInstanceUID": f"1.2.{number}.3"}
        path = tmp_path / f"{number}.dcm"
        path.write_bytes(make_dicom(**uids | {"SOPInstanceUID": f"1.2.{number}.3.4"} | attributes))
        return path

    return make


@pytest.fixture
def start_node(tmp_path: Path, registry, model_server, start_gateway: Callable[..., Gateway]) -> Iterator[StartNode]:
    """start_node(**config): a node beside a gateway with the same store; both, the store and the trail."""
    nodes: list[Node] = []

    def start(**config: object) -> SimpleNamespace:
        url = str(config.setdefault("store", f"sqlite:///{tmp_path}/store.db"))
        audit = tmp_path / "audit.jsonl"
        if "gateway" not in config:
            config["gateway"] = start_gateway(registry, model_server.port, store=url, audit=audit).address
        usual = {"port": 0, "allow": [] if config.get("allow_any") else ["CR1"], "rule": [RULE], "audit": audit}
        node = Node(NodeConfig.model_validate(usual | {"spool": tmp_path / "spool"} | config))
        nodes.append(node)
        node.start()
        return SimpleNamespace(
            port=node.port,
            web=f"{'https' if config.get('tls') else 'http'}://localhost:{node.web_port}/dicomweb",
            store=Store(url, spool=tmp_path / "spool"),
            audit=audit,
            gateway=config["gateway"],
        )

    yield start
    for node in nodes:
        node.stop()


@pytest.fixture
def scp(tmp_path: Path) -> Iterator[StoreScp]:
    scp = StoreScp(tmp_path / "received", free_port())
    yield scp
    scp.stop()


@pytest.fixture
def orthanc(tmp_path: Path) -> Iterator[Orthanc]:
    orthanc = Orthanc(tmp_path / "orthanc")
    yield orthanc
    orthanc.stop()
