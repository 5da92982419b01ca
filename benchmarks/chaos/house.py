"""A hospital's house: database, disk, model server, gateway and DICOM node, each a process of its own."""

from __future__ import annotations

from pathlib import Path

from benchmarks.chaos.disk import Disk
from benchmarks.chaos.parts import Part, echoes, serves_health, serves_model
from benchmarks.postgresql import Cluster
from benchmarks.processes import free_port
from serving.store.store import Store
from zoo.bundles import Bundle

NODE, MODALITY = "KERASCOPE", "MODALITY"
CONFIG = """
port = {node}
ae_title = "{title}"
allow = ["{modality}"]
gateway = "127.0.0.1:{gateway}"
store = "{url}"
spool = "{disk}/spool"
audit = "{disk}/node.jsonl"

[[rule]]
model = "{model}"
"""


class House:
    """Everything up and answering.

    Attributes:
        model: the model's name.
        cluster: the database, where it is PostgreSQL; None for SQLite on the small disk.
        disk: holds received files, audit trails, and SQLite's file.
        model_server, gateway, node: the processes.
        gateway_port, node_port: where they listen.
        url: of the store.
        trails: the audit trails.

    Args:
        folder: for everything but the database's own files.
        bundle: the model, `<registry>/<model>/<version>`.
        cluster: PostgreSQL; None for SQLite.
    """

    def __init__(self, folder: Path, bundle: Bundle, cluster: Cluster | None) -> None:
        self.model, self.cluster = bundle.name, cluster
        self.disk = Disk(folder / "disk")
        self.url = cluster.database() if cluster else f"sqlite:///{self.disk.folder}/store.db"
        self.trails = (self.disk.folder / "gateway.jsonl", self.disk.folder / "node.jsonl")
        self._model_port, self.gateway_port, self.node_port = free_port(), free_port(), free_port()
        self.model_server = self._model_server(folder, bundle)
        self.gateway = self._gateway(folder, bundle)
        self.node = self._node(folder)
        self.parts = (self.model_server, self.gateway, self.node)

    def begin(self) -> None:
        """Starts every part; returns once all answer."""
        self.store().close()  # makes the tables once, so that two processes need not wait for each other
        for part in self.parts:
            part.begin()
        for part in self.parts:
            part.back()

    def end(self) -> None:
        """Ends every part."""
        for part in self.parts:
            part.end()
        self.disk.remove()

    def store(self) -> Store:
        """The store, as one more process sees it."""
        return Store(self.url, spool=self.disk.folder / "spool")

    def _model_server(self, folder: Path, bundle: Bundle) -> Part:
        base = str(bundle.path.parent.resolve())
        words = ["serve", "--model_name", bundle.name, "--model_base_path", base, "--port", str(self._model_port)]
        answers = serves_model(f"127.0.0.1:{self._model_port}", bundle.name)
        return Part("model server", words, folder / "model-server.log", answers)

    def _gateway(self, folder: Path, bundle: Bundle) -> Part:
        words = ["gateway", "--insecure", "--registry", str(bundle.path.parents[1].resolve())]
        words += ["--model-server", f"127.0.0.1:{self._model_port}", "--port", str(self.gateway_port)]
        return Part(
            "gateway",
            words,
            folder / "gateway.log",
            serves_health(f"127.0.0.1:{self.gateway_port}"),
            KERASCOPE_STORE=self.url,
            KERASCOPE_SPOOL=f"{self.disk.folder}/spool",
            KERASCOPE_AUDIT=str(self.trails[0]),
        )

    def _node(self, folder: Path) -> Part:
        config = folder / "node.toml"
        config.write_text(
            CONFIG.format(
                node=self.node_port,
                title=NODE,
                modality=MODALITY,
                gateway=self.gateway_port,
                url=self.url,
                disk=self.disk.folder,
                model=self.model,
            )
        )
        answers = echoes(self.node_port, NODE, MODALITY)
        return Part("DICOM node", ["dicom-node", str(config)], folder / "node.log", answers)
