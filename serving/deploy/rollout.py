"""Moves the labels of a model on every server, step by step, and goes back as a whole where a step fails.

TensorFlow Serving lets a label move only to a version that is loaded, so a change takes three configurations:

    load     every version that had a label or will have one; the labels as they were
    label    the labels as they will be
    unload   what bears no label any more is let go

Each is written to the file first and then sent to each server (HandleReloadConfigRequest), so that a server that polls
the file meets the same text. https://www.tensorflow.org/tfx/serving/serving_config, "Assigning labels"
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path

from google.protobuf import text_format
from tensorflow_serving.config.model_server_config_pb2 import ModelConfig, ModelServerConfig

from serving.deploy.control import Control, resolved
from serving.deploy.labels import STABLE, Labels
from zoo import disk, errors

log = logging.getLogger(__name__)

Change = Callable[[Labels], Labels]


@dataclass(frozen=True)
class Rollout:
    """A configuration file and the servers that follow it.

    Attributes:
        file: the ModelServerConfig in protobuf's text format.
        addresses: of the servers, each of which is told; `dns:///name:port` for all behind a name.
        timeout_s: longest wait for a version to load.
    """

    file: Path
    addresses: Sequence[str]
    timeout_s: float = 300.0

    def apply(self, name: str, change: Change) -> Labels:
        """Changes the labels of one model everywhere, or nothing anywhere.

        Args:
            name: the model's.
            change: its labels before to its labels after.

        Returns:
            The labels after.

        Raises:
            BadConfig: the file cannot be read.
            UnknownModel: it does not list the model.
            BadRequest: from `change`.
            ModelNotReady: a server refused, or a version did not come up; file and servers are as they were.
        """
        with ExitStack() as stack:
            stack.enter_context(disk.alone(self.file.absolute().parent))
            servers = [stack.enter_context(closing(Control(address))) for address in resolved(list(self.addresses))]
            text = _text(self.file)
            config = parse(text, self.file)
            before = _labels(model_of(config, name), servers)
            after = change(before)
            try:
                self._go(text, config, name, before, after, servers)
            except errors.KerascopeError as error:
                raise errors.ModelNotReady(f"{error} {self._restore(text, config, servers)}") from None
            except BaseException:  # Ctrl-C must not leave it half done
                self._restore(text, config, servers)
                raise
            return after

    def _go(
        self,
        text: str,
        config: ModelServerConfig,
        name: str,
        before: Labels,
        after: Labels,
        servers: Sequence[Control],
    ) -> None:
        both = {*before.values(), *after.values()}
        had = dict(model_of(config, name).version_labels)
        self._tell(text, _with(config, name, both, had), servers)
        until = time.monotonic() + self.timeout_s
        for server in servers:
            for version in sorted(set(after.values())):
                server.wait_for(name, version, until)
        self._tell(text, _with(config, name, both, after), servers)
        for server in servers:
            _check(server, name, after)
        if both != set(after.values()):
            self._tell(text, _with(config, name, after.values(), after), servers)

    def _tell(self, text: str, config: ModelServerConfig, servers: Sequence[Control]) -> None:
        disk.write_whole(self.file, heading(text) + text_format.MessageToString(config))
        for server in servers:
            server.reload(config, self.timeout_s)

    def _restore(self, text: str, config: ModelServerConfig, servers: Sequence[Control]) -> str:
        disk.write_whole(self.file, text)
        deaf = []
        for server in servers:
            try:
                server.reload(config, self.timeout_s)
            except errors.KerascopeError as error:
                log.warning("%s", error)
                deaf.append(server.address)
        if deaf:
            return f"{self.file} is as it was, but {', '.join(deaf)} could not be told; restart what runs there."
        return f"{self.file} and the servers are as they were."


def parse(text: str, file: Path) -> ModelServerConfig:
    """A ModelServerConfig from its text.

    Raises:
        BadConfig: it is none; the message names the file.
    """
    try:
        return text_format.Parse(text, ModelServerConfig())
    except text_format.ParseError as error:
        raise errors.BadConfig(
            f"{file} is no ModelServerConfig in protobuf's text format: {error}. `kerascope deploy render` writes one."
        ) from None


def model_of(config: ModelServerConfig, name: str) -> ModelConfig:
    """One model's part of a configuration.

    Raises:
        UnknownModel: there is none.
    """
    for model in config.model_config_list.config:
        if model.name == name:
            return model
    listed = ", ".join(model.name for model in config.model_config_list.config) or "none"
    raise errors.UnknownModel(f"The configuration lists no model {name!r}. Listed: {listed}.")


def heading(text: str) -> str:
    """The comment lines that a file begins with; protobuf's writer knows no comments."""
    lines = text.splitlines(keepends=True)
    count = next((number for number, line in enumerate(lines) if not line.startswith("#")), len(lines))
    return "".join(lines[:count])


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except OSError as error:
        raise errors.BadConfig(
            f"{file} cannot be read: {error.strerror}. `kerascope deploy render` writes one."
        ) from None


def _labels(model: ModelConfig, servers: Sequence[Control]) -> Labels:
    """The labels of the file; where none is `stable`, it is the version that callers get now, the highest."""
    labels = dict(model.version_labels)
    if STABLE not in labels:
        states = servers[0].versions(model.name) if servers else {}
        serving = [version for version, found in states.items() if found.state == "AVAILABLE"]
        if serving:
            labels[STABLE] = max(serving)
    return labels


def _with(config: ModelServerConfig, name: str, versions: Iterable[int], labels: Labels) -> ModelServerConfig:
    changed = ModelServerConfig()
    changed.CopyFrom(config)
    model = model_of(changed, name)
    model.ClearField("version_labels")
    for label, version in sorted(labels.items()):
        model.version_labels[label] = version
    model.ClearField("model_version_policy")
    model.model_version_policy.specific.versions.extend(sorted(set(versions)))
    return changed


def _check(server: Control, name: str, labels: Labels) -> None:
    for label, version in labels.items():
        found = server.labelled(name, label)
        if found != version:
            raise errors.ModelNotReady(
                f"At {server.address} the label {label!r} of {name} reaches version {found}, not {version}."
            )
