"""The node removes by itself what it received longer ago than it may keep it: rows and files."""

from __future__ import annotations

import os
from pathlib import Path

from serving.hospital import header
from serving.hospital.config import NodeConfig
from serving.hospital.node import Node
from serving.store.store import Store
from tests.waiting import until

LONG_AGO = 1_000_000_000.0  # in 2001


def received(store: Store, data: bytes) -> Path:
    """An image that no rule wanted, so that nothing waits for it; its file."""
    digest = store.spool.put(data)
    store.queue.receive(header.read(data), digest, sender="CR1", models=[])
    return store.spool.folder / digest[:2] / digest


def test_what_was_kept_long_enough_goes_with_its_file(tmp_path: Path, make_dicom):
    url = f"sqlite:///{tmp_path}/store.db"
    store = Store(url)
    file = received(store, make_dicom(StudyInstanceUID="1.2.3", SOPInstanceUID="1.2.3.4"))
    os.utime(file, (LONG_AGO, LONG_AGO))  # a file younger than an hour may still get its row
    values = {"port": 0, "allow": ["CR1"], "rule": [{"model": "any"}], "store": url}
    assert len(store.worklist.studies()) == 1
    node = Node(NodeConfig.model_validate(values | {"retention_days": 1e-9}))
    node.start()
    try:
        until(lambda: store.worklist.studies() == [] and not file.exists(), 60)
    finally:
        node.stop()
        store.close()
