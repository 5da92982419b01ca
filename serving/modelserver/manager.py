"""Which versions serve: follows configuration and disk, has versions loaded, swaps and unloads them.

The policy is TensorFlow Serving's AvailabilityPreservingPolicy: a version that is no longer asked for stays
until one that is asked for serves. Looking a version up takes no lock, so loading never holds up a call.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Mapping
from pathlib import Path

import tensorflow as tf
from tensorflow_serving.apis.model_pb2 import ModelSpec
from tensorflow_serving.config.model_server_config_pb2 import ModelConfig, ModelServerConfig

from serving.modelserver import labels, storage
from serving.modelserver.config import check
from serving.modelserver.loaded import Loaded
from serving.modelserver.loads import Load, Loader, Retries
from serving.modelserver.states import State, States, VersionState
from serving.modelserver.status import code_and_message

log = logging.getLogger(__name__)

BEHIND_CALLS = 10  # of niceness; at 19 a busy machine would never come to it
_LOOK_S = 0.1  # how often a reload that waits asks whether its caller still does


class Manager:
    """The models of one server.

    Args:
        load: reads one version, ready to serve.
        threads: how many are loaded at once; 0 for one per processor core until a version serves, then one.
        retries: for one that fails.
        allow_labels_for_unavailable: see `Options.allow_version_labels_for_unavailable_models`.
        retired: called after versions were unloaded, in a thread that answers no calls.
    """

    def __init__(
        self,
        load: Loader,
        *,
        threads: int = 0,
        retries: Retries | None = None,
        allow_labels_for_unavailable: bool = False,
        retired: Callable[[], object] = lambda: None,
    ) -> None:
        self._load, self._retries, self._retired = load, retries or Retries(), retired
        self._allow_labels = allow_labels_for_unavailable
        self._places = threading.Semaphore(threads or os.cpu_count() or 1)
        self._places_beside_calls = threading.Semaphore(threads or 1)
        self._changed = threading.Condition(threading.RLock())  # held by whoever changes something
        self._config = ModelServerConfig()
        self._serving: Mapping[str, Mapping[int, Loaded]] = {}  # replaced, never changed
        self._labels: labels.Labels = {}  # likewise
        self._wanted: dict[str, Mapping[int, Path]] = {}
        self._loads: dict[tuple[str, int], Load] = {}
        self._tried: dict[tuple[str, int], object] = {}  # stamps of versions before the latest try
        self._stamps: dict[tuple[str, int], object] = {}  # those of versions that would not load
        self._states = States()
        self._complaints: dict[str, str] = {}

    def configure(self, config: ModelServerConfig) -> None:
        """Sets which models are wanted; the next `poll` acts on it.

        Raises:
            tf.errors.InvalidArgumentError: the configuration contradicts itself, or is not one for this server.
            tf.errors.FailedPreconditionError: a label names a version that is not available.
        """
        check(config)
        with self._changed:
            self._labels = labels.assign(config, self._labels, self._serving, any_version=self._allow_labels)
            self._config = config

    def reload(self, config: ModelServerConfig, *, waited_for: Callable[[], bool] = lambda: True) -> None:
        """`configure` and `poll`; returns when models that were not there before are, as TensorFlow Serving does.

        Args:
            waited_for: whether the caller still waits.

        Raises:
            tf.errors.OpError: as `configure`; Unknown if a new model did not become available.
        """
        with self._changed:
            known = {model.name for model in self._models()}
            self.configure(config)
            self.poll()
            new = {model.name for model in self._models()} - known
            while waited_for() and any(self._is_coming(name) for name in new):
                self._changed.wait(_LOOK_S)
            missing = sorted(new - set(self._serving))
        if missing:
            told = ", ".join(self._reason(name) for name in missing)
            raise tf.errors.UnknownError(None, None, f"{len(missing)} servable(s) did not become available: {{{told}}}")

    def poll(self) -> None:
        """Looks at the disk once; begins to load what is new and asked for, unloads what is not asked for any more."""
        with self._changed:
            models = {model.name: model for model in self._models()}
            for name in [*self._wanted, *self._serving]:
                if name not in models:
                    self._want(name, {})
            for model in models.values():
                self._follow(model)

    def close(self, timeout_s: float) -> None:
        """Begins no further load, and waits for each one under way."""
        with self._changed:
            loads = list(self._loads.values())
        for load in loads:
            load.give_up()
        for load in loads:
            load.join(timeout_s)

    def loaded(self, spec: ModelSpec) -> Loaded:
        """The version that a request means: by number, by label, or the highest.

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
        if asked is None and versions:
            return versions[max(versions)]
        if asked is not None and asked in versions:
            return versions[asked]
        told = f"Latest({spec.name})" if asked is None else f"Specific({spec.name}, {asked})"
        if self._is_configured(spec.name) and not self._states.any_ended(spec.name):
            raise tf.errors.UnavailableError(None, None, f"Servable is not loaded yet for request: {told}")
        raise tf.errors.NotFoundError(None, None, f"Servable not found for request: {told}")

    def states_of(self, spec: ModelSpec) -> Mapping[int, VersionState]:
        """The states that a request asks for: of one version, or of every one there ever was, the highest first.

        Raises:
            tf.errors.InvalidArgumentError: an unknown label.
            tf.errors.NotFoundError: no such model, or not this version of it.
        """
        states, version = self._states.of(spec.name), self._asked_version(spec)
        if not states:
            raise tf.errors.NotFoundError(None, None, f"Could not find any versions of model {spec.name}")
        if version is None or (version == 0 and 0 not in states):  # 0: see `loaded`
            return states
        if version not in states:
            raise tf.errors.NotFoundError(None, None, f"Could not find version {version} of model {spec.name}")
        return {version: states[version]}

    def knows(self, name: str) -> bool:
        """Whether there is, or has been, a model of this name."""
        return name in self._serving or bool(self._states.of(name))

    def is_settled(self) -> bool:
        """Whether every configured model has had a version loaded, or failing to load."""
        return all(self._states.any_tried(model.name) for model in self._models())

    def _models(self) -> list[ModelConfig]:
        return list(self._config.model_config_list.config)

    def _is_configured(self, name: str) -> bool:
        return any(model.name == name for model in self._models())

    def _is_coming(self, name: str) -> bool:
        return name not in self._serving and any(model == name for model, _ in self._loads)

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
        version, entry = next(iter(self._states.of(name).items()), (None, None))
        known = f"{{name: {name}}}" if version is None else f"{{name: {name} version: {version}}}"
        return f"{{{known} due to error: {entry.message}}}" if entry and entry.message else f"{{{known}}}"

    def _follow(self, model: ModelConfig) -> None:
        try:
            found = storage.versions_on_disk(Path(model.base_path))
        except OSError as error:
            reason = error.strerror or type(error).__name__
            self._complain(model, f"Could not find base path {model.base_path} for servable {model.name}: {reason}")
            return
        wanted = storage.aspired(found, model.model_version_policy)
        self._complain(model, "" if wanted else f"No versions of servable {model.name} found under {model.base_path}")
        self._want(model.name, wanted)

    def _complain(self, model: ModelConfig, message: str) -> None:
        if message and message != self._complaints.get(model.name):
            log.warning("%s; waiting for one", message)
        self._complaints[model.name] = message

    def _want(self, name: str, wanted: Mapping[int, Path]) -> None:
        self._wanted[name] = wanted
        for (model, version), load in self._loads.items():
            if model == name and version not in wanted:
                load.give_up()
        for version, folder in wanted.items():
            if version not in self._serving.get(name, {}):
                self._bring_up(name, version, folder)
        self._retire(name)
        if not wanted and name not in self._serving:
            del self._wanted[name]

    def _bring_up(self, name: str, version: int, folder: Path) -> None:
        stamp = storage.stamp(folder)
        if self._stamps.get((name, version)) == stamp:
            return  # it failed, and nothing in it has changed since
        if (name, version) in self._loads:
            if (name, version) in self._stamps:
                self._stamps.pop((name, version))
                self._loads[name, version].hurry()
            return
        self._stamps.pop((name, version), None)
        self._states.set(name, version, State.START)
        self._loads[name, version] = load = Load(
            lambda: self._try(name, version, folder),
            self._places,
            self._retries,
            lambda loaded: self._succeeded(name, version, loaded),
            lambda error, last: self._failed(name, version, error, last),
        )
        load.start()

    def _try(self, name: str, version: int, folder: Path) -> Loaded:
        stamp = storage.stamp(folder)
        with self._changed:
            self._tried[name, version] = stamp
            before = self._states.of(name)[version]
            self._states.set(name, version, State.LOADING, before.code, before.message)
        if not self._serving:
            return self._load(name, version, folder)
        with self._places_beside_calls:
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), BEHIND_CALLS)  # of this thread alone
            return self._load(name, version, folder)

    def _succeeded(self, name: str, version: int, loaded: Loaded) -> None:
        with self._changed:
            del self._loads[name, version], self._tried[name, version]
            self._stamps.pop((name, version), None)
            if version in self._wanted.get(name, {}):
                self._serving = {**self._serving, name: {**self._serving.get(name, {}), version: loaded}}
                self._states.set(name, version, State.AVAILABLE)
                log.info("Successfully loaded servable version {name: %s version: %d}", name, version)
                self._retire(name)
            else:
                self._states.set(name, version, State.END)
            self._changed.notify_all()

    def _failed(self, name: str, version: int, error: Exception, last: bool) -> None:
        code, message = code_and_message(error)
        again = "" if last else f"; trying again in {max(self._retries.interval_s, 0):g} s"
        log.error("Loading servable {name: %s version: %d} failed: %s%s", name, version, message, again)
        with self._changed:
            self._stamps[name, version] = self._tried.get((name, version))
            self._states.set(name, version, State.END if last else State.LOADING, code, message)
            if last:
                del self._loads[name, version]
                self._tried.pop((name, version), None)
            self._changed.notify_all()

    def _retire(self, name: str) -> None:
        """Unloads what is not wanted, unless nothing that is wanted serves yet."""
        serving, wanted = self._serving.get(name, {}), self._wanted.get(name, {})
        gone = [version for version in serving if version not in wanted]
        if not gone or (wanted and not any(version in serving for version in wanted)):
            return
        for version in gone:
            self._states.set(name, version, State.UNLOADING)
        left = {version: loaded for version, loaded in serving.items() if version not in gone}
        others = {model: kept for model, kept in self._serving.items() if model != name}
        self._serving = {**others, name: left} if left else others
        del serving
        for version in gone:
            self._states.set(name, version, State.END)
            log.info("Unloaded servable version {name: %s version: %d}", name, version)
        self._retired()
