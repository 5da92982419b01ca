"""What a stranger may make the node hold: no PDU and no message longer than it can be, whatever its header says."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydicom import dcmread

from benchmarks.processes import free_port
from serving.hospital import bounds
from serving.hospital.config import NodeConfig
from serving.hospital.node import Node
from tests.serving.hospital.peers import echo, store

A_ASSOCIATE_RQ = 0x01


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    """A node whose gateway is away."""
    values = {"port": 0, "allow": ["CR1"], "gateway": f"localhost:{free_port()}", "rule": [{"model": "any"}]}
    node = Node(NodeConfig.model_validate(values | {"store": f"sqlite:///{tmp_path}/store.db", "retention_days": 0}))
    node.start()
    yield node
    node.stop()


def closed_after(port: int, data: bytes) -> bytes:
    """What the node says to bytes that never end, until it hangs up."""
    said = b""
    with socket.create_connection(("127.0.0.1", port), timeout=60) as line:
        line.sendall(data)
        try:
            while piece := line.recv(4096):
                said += piece
        except ConnectionError:
            pass
    return said


@pytest.mark.parametrize("length", [bounds.MOST_PDU_BYTES + 1, 0xFFFFFFFF])
def test_a_pdu_that_claims_to_be_endless_is_not_waited_for(node: Node, length: int):
    claim = struct.pack(">BBL", A_ASSOCIATE_RQ, 0, length)  # PS3.8 section 9.3.2
    assert len(closed_after(node.port, claim + bytes(1000))) < 100  # at most an A-ABORT
    assert echo(node.port)


def test_an_image_that_does_not_end_costs_its_sender_the_connection(
    node: Node, tmp_path: Path, make_dicom, monkeypatch: pytest.MonkeyPatch
):
    small, large = tmp_path / "small.dcm", tmp_path / "large.dcm"
    uids = {"StudyInstanceUID": "1.2.3", "SOPInstanceUID": "1.2.3.4"}
    small.write_bytes(make_dicom(**uids))
    dataset = dcmread(small)
    dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = "1.2.3.5"
    dataset.Rows, dataset.Columns, dataset.PixelData = 1024, 512, bytes(1 << 20)
    dataset.save_as(large)
    monkeypatch.setattr(bounds, "MOST_MESSAGE_BYTES", 1 << 20)
    assert not store(node.port, large)
    assert store(node.port, *[small] * 40)  # more than a megabyte together, each of them less
    monkeypatch.undo()
    assert store(node.port, large)
