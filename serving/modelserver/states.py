"""The state of every version, as GetModelStatus tells it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tensorflow_serving.apis.get_model_status_pb2 import ModelVersionStatus

State = ModelVersionStatus.State
_ENDED = (State.AVAILABLE, State.UNLOADING, State.END)


@dataclass(frozen=True)
class VersionState:
    """Where one version stands; code and message are OK and empty unless loading it failed."""

    state: int
    code: int = 0
    message: str = ""


class States:
    """Reading takes no lock; whoever sets holds one."""

    def __init__(self) -> None:
        self._states: Mapping[str, Mapping[int, VersionState]] = {}  # replaced, never changed

    def set(self, name: str, version: int, state: int, code: int = 0, message: str = "") -> None:
        """Notes a version's new state."""
        entry = {version: VersionState(state, code, message)}
        self._states = {**self._states, name: {**self._states.get(name, {}), **entry}}

    def of(self, name: str) -> Mapping[int, VersionState]:
        """Every version of a model that has ever been asked for, the highest first."""
        return dict(sorted(self._states.get(name, {}).items(), reverse=True))

    def any_ended(self, name: str) -> bool:
        """Whether a version of the model is, or was, ready, or has been given up."""
        return any(entry.state in _ENDED for entry in self._states.get(name, {}).values())

    def any_tried(self, name: str) -> bool:
        """Whether loading one has succeeded or failed at least once."""
        return self.any_ended(name) or any(entry.code for entry in self._states.get(name, {}).values())
