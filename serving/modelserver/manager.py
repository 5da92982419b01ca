"""Which versions serve: follows configuration and disk, loads, swaps and unloads, and keeps every version's state.

The policy is TensorFlow Serving's AvailabilityPreservingPolicy: a version that is no longer asked for stays
until one that is asked for serves. Looking a version up takes no lock, so loading never holds up a call.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import tensorflow as tf
from tensorflow_serving.apis.get_model_status_pb2 import ModelVersionStatus
from tensorflow_serving.apis.model_pb2 import ModelSpec
from tensorflow_serving.config.model_server_config_pb2 import ModelConfig, ModelServerConfig

from serving.modelserver import labels, storage
from serving.modelserver.config import check
from serving.modelserver.servables import Servable
from serving.modelserver.status import code_and_message

log = logging.getLogger(__name__)

State = ModelVersionStatus.State
Loader = Callable[[str, int, Path], Servable]


@dataclass(frozen=True)
class VersionState:
    """Where one version stands; code and message are OK and empty unless loading it failed."""

    state: int
    code: int = 0
    message: str = ""


class Manager:
    """The models of one server.

    Args:
        load: reads one version, ready to serve; called in the thread that calls `poll` or `reload`.
        allow_labels_for_unavailable: see `Options.allow_version_labels_for_unavailable_models`.
    """

    def __init__(self, load: Loader, *, allow_labels_for_unavailable: bool = False) -> None:
        self._load = load
        self._allow_labels = allow_labels_for_unavailable
        self._busy = threading.Lock()  # held by whoever changes something
        self._config = ModelServerConfig()
        self._serving: dict[str, dict[int, Servable]] = {}  # replaced, never changed
        self._labels: labels.Labels = {}  # likewise
        self._states: dict[str, dict[int, VersionState]] = {}
        self._stamps: dict[tuple[str, int], object] = {}  # of versions that would not load
        self._complaints: dict[str, str] = {}

    def configure(self, config: ModelServerConfig) -> None:
        """Sets which models are wanted; the next `poll` acts on it.

        Raises:
            tf.errors.InvalidArgumentError: the configuration contradicts itself, or is not one for this server.
            tf.errors.FailedPreconditionError: a label names a version that is not available.
        """
        check(config)
        with self._busy:
            self._labels = labels.assign(config, self._labels, self._serving, any_version=self._allow_labels)
            self._config = config

    def reload(self, config: ModelServerConfig) -> None:
        """`configure`, then load and unload what it takes; returns when that is done.

        Raises:
            tf.errors.OpError: as `configure`; Unknown if a new model did not become available.
        """
        known = {model.name for model in self._models()}
        self.configure(config)
        self.poll()
        missing = {model.name for model in self._models()} - known - set(self._serving)
        if missing:
            told = ", ".join(f"{{{name}{self._reason(name)}}}" for name in sorted(missing))
            raise tf.errors.UnknownError(None, None, f"{len(missing)} model(s) did not become available: {{{told}}}")

    def poll(self) -> None:
        """Looks at the disk once; loads what is new and asked for, then unloads what is not asked for any more."""
        with self._busy:
            wanted = {model.name: model for model in self._models()}
            for name in [name for name in self._serving if name not in wanted]:
                self._unload(name, list(self._serving[name]))
            for model in wanted.values():
                self._follow(model)

    def servable(self, spec: ModelSpec) -> Servable:
        """The loaded version that a request means: by number, by label, or the highest.

        A version 0 that is not there means the highest too. TensorFlow Serving refuses it, but `ovmsclient`
        sends it where its caller names no version.

        Raises:
            tf.errors.InvalidArgumentError: no name, or an unknown label.
            tf.errors.NotFoundError: no such model, or not this version of it.
            tf.errors.UnavailableError: the model's first load is not finished. (TensorFlow Serving opens its
                port only after that, so that its clients see the same code.)
        """
        if not spec.name:
            raise tf.errors.InvalidArgumentError(None, None, "ModelSpec has no name specified.")
        versions = self._serving.get(spec.name, {})
        asked = self._asked_version(spec)
        if asked == 0 and 0 not in versions:
            asked = None
        version = max(versions, default=None) if asked is None else asked
        if version in versions:
            return versions[version]
        told = f"Latest({spec.name})" if asked is None else f"Specific({spec.name}, {asked})"
        if self._is_starting(spec.name):
            raise tf.errors.UnavailableError(None, None, f"Servable is not loaded yet for request: {told}")
        raise tf.errors.NotFoundError(None, None, f"Servable not found for request: {told}")

    def states(self, name: str) -> dict[int, VersionState]:
        """Every version of a model that has ever been asked for, with its state, the highest first."""
        return dict(sorted(self._states.get(name, {}).items(), reverse=True))

    def is_settled(self) -> bool:
        """Whether every configured model has had a version loaded, or failing to load."""
        return not any(self._is_starting(model.name) for model in self._models())

    def _models(self) -> list[ModelConfig]:
        return list(self._config.model_config_list.config)

    def _is_starting(self, name: str) -> bool:
        done = (State.AVAILABLE, State.UNLOADING, State.END)
        configured = any(model.name == name for model in self._models())
        return configured and not any(entry.state in done for entry in self.states(name).values())

    def _asked_version(self, spec: ModelSpec) -> int | None:
        choice = spec.WhichOneof("version_choice")
        if choice == "version_label":
            return self._labelled(spec.name, spec.version_label)
        return spec.version.value if choice == "version" else None

    def _labelled(self, name: str, label: str) -> int:
        try:
            return self._labels[name][label]
        except KeyError:
            message = f"Unrecognized servable version label: {label}"
            raise tf.errors.InvalidArgumentError(None, None, message) from None

    def _reason(self, name: str) -> str:
        reasons = [entry.message for entry in self.states(name).values() if entry.message]
        return f" due to error: {reasons[0]}" if reasons else ""

    def _follow(self, model: ModelConfig) -> None:
        try:
            found = storage.versions_on_disk(Path(model.base_path))
        except OSError as error:
            reason = error.strerror or type(error).__name__
            self._complain(model, f"Could not find base path {model.base_path} for servable {model.name}: {reason}")
            return
        wanted = storage.aspired(found, model.model_version_policy)
        self._complain(model, "" if wanted else f"No versions of servable {model.name} found under {model.base_path}")
        for version in set(wanted) - set(self._states.get(model.name, {})):
            self._set(model.name, version, VersionState(State.START))
        for version, folder in wanted.items():
            self._bring_up(model.name, version, folder)
        serving = self._serving.get(model.name, {})
        if not wanted or any(version in serving for version in wanted):
            self._unload(model.name, [version for version in serving if version not in wanted])

    def _complain(self, model: ModelConfig, message: str) -> None:
        if message and message != self._complaints.get(model.name):
            log.warning("%s; waiting for one", message)
        self._complaints[model.name] = message

    def _bring_up(self, name: str, version: int, folder: Path) -> None:
        if version in self._serving.get(name, {}):
            return
        stamp = storage.stamp(folder)
        if self._stamps.get((name, version)) == stamp:
            return  # it failed, and nothing in it has changed since
        self._set(name, version, VersionState(State.LOADING))
        try:
            servable = self._load(name, version, folder)
        except Exception as error:
            code, message = code_and_message(error)
            log.error("Loading servable {name: %s version: %d} failed: %s", name, version, message)
            self._stamps[name, version] = stamp
            self._set(name, version, VersionState(State.END, code, message))
            return
        self._stamps.pop((name, version), None)
        self._serving = {**self._serving, name: {**self._serving.get(name, {}), version: servable}}
        self._set(name, version, VersionState(State.AVAILABLE))
        log.info("Successfully loaded servable version {name: %s version: %d}", name, version)

    def _unload(self, name: str, versions: list[int]) -> None:
        for version in versions:
            self._set(name, version, VersionState(State.UNLOADING))
            left = {number: kept for number, kept in self._serving[name].items() if number != version}
            others = {model: kept for model, kept in self._serving.items() if model != name}
            self._serving = {**others, name: left} if left else others
            self._set(name, version, VersionState(State.END))
            log.info("Unloaded servable version {name: %s version: %d}", name, version)

    def _set(self, name: str, version: int, state: VersionState) -> None:
        self._states = {**self._states, name: {**self._states.get(name, {}), version: state}}
