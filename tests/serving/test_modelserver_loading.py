"""Several versions load at once, and a reload waits for models that are new."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest
import tensorflow as tf
from tensorflow_serving.apis.model_pb2 import ModelSpec
from tensorflow_serving.config.model_server_config_pb2 import ModelServerConfig

from serving.modelserver.loaded import Loaded
from serving.modelserver.loads import Retries
from serving.modelserver.manager import BEHIND_CALLS, Manager
from serving.modelserver.running import run_at_once
from serving.modelserver.servables import Servable
from serving.modelserver.states import State
from tests.serving.model_server_client import WAIT_S, wait_until


def models(folder: Path, *names: str) -> ModelServerConfig:
    """One version of each, whose files the loaders of these tests do not read."""
    config = ModelServerConfig()
    for name in names:
        version = folder / name / "1"
        version.mkdir(parents=True, exist_ok=True)
        (version / "saved_model.pb").touch()
        config.model_config_list.config.add(name=name, base_path=str(folder / name), model_platform="tensorflow")
    return config


def loaded(name: str, version: int) -> Loaded:
    return Loaded(Servable(name, version, {}, {}, None), run_at_once)


def states(manager: Manager, name: str) -> list[int]:
    return [entry.state for entry in manager.states_of(ModelSpec(name=name)).values()]


def test_as_many_versions_load_at_once_as_there_are_threads(tmp_path: Path) -> None:
    meeting = threading.Barrier(2, timeout=WAIT_S)

    def load(name: str, version: int, folder: Path) -> Loaded:
        meeting.wait()  # none comes through alone
        return loaded(name, version)

    manager = Manager(load, threads=2)
    manager.reload(models(tmp_path, "a", "b"))
    assert [states(manager, name) for name in ("a", "b")] == [[State.AVAILABLE]] * 2


def test_no_more_versions_load_at_once_than_there_are_threads(tmp_path: Path) -> None:
    inside, most = [], []

    def load(name: str, version: int, folder: Path) -> Loaded:
        inside.append(name)
        most.append(len(inside))
        threading.Event().wait(0.02)
        inside.remove(name)
        return loaded(name, version)

    Manager(load, threads=1).reload(models(tmp_path, "a", "b", "c"))
    assert most == [1, 1, 1]


def test_once_a_version_serves_others_load_one_at_a_time_and_behind_the_calls(tmp_path: Path) -> None:
    inside, seen = [], []

    def load(name: str, version: int, folder: Path) -> Loaded:
        inside.append(name)
        seen.append((len(inside), os.getpriority(os.PRIO_PROCESS, threading.get_native_id())))
        threading.Event().wait(0.02)
        inside.remove(name)
        return loaded(name, version)

    manager = Manager(load)
    manager.reload(models(tmp_path, "a"))
    manager.reload(models(tmp_path, "a", "b", "c"))
    usual = os.getpriority(os.PRIO_PROCESS, 0)
    assert seen == [(1, usual), (1, BEHIND_CALLS), (1, BEHIND_CALLS)]


def test_a_reload_says_why_a_new_model_did_not_come_and_leaves_the_others(tmp_path: Path) -> None:
    def load(name: str, version: int, folder: Path) -> Loaded:
        if name == "broken":
            raise tf.errors.DataLossError(None, None, "a torn file")
        return loaded(name, version)

    manager = Manager(load, retries=Retries(1, 0))
    manager.reload(models(tmp_path, "good"))
    with pytest.raises(tf.errors.UnknownError) as caught:
        manager.reload(models(tmp_path, "good", "broken"))
    told = "{{name: broken version: 1} due to error: a torn file}"
    assert caught.value.message == f"1 servable(s) did not become available: {{{told}}}"
    assert manager.loaded(ModelSpec(name="good")).servable.version == 1


def test_a_reload_that_nobody_waits_for_ends(tmp_path: Path) -> None:
    go = threading.Event()

    def load(name: str, version: int, folder: Path) -> Loaded:
        assert go.wait(WAIT_S)
        return loaded(name, version)

    manager = Manager(load)
    with pytest.raises(tf.errors.UnknownError):
        manager.reload(models(tmp_path, "slow"), waited_for=lambda: False)
    go.set()
    wait_until(lambda: states(manager, "slow") == [State.AVAILABLE])


def test_a_version_that_is_removed_while_it_loads_does_not_serve(tmp_path: Path) -> None:
    go = threading.Event()

    def load(name: str, version: int, folder: Path) -> Loaded:
        assert go.wait(WAIT_S)
        return loaded(name, version)

    manager = Manager(load)
    manager.configure(models(tmp_path, "a"))
    manager.poll()
    manager.configure(ModelServerConfig(model_config_list={}))
    manager.poll()
    go.set()
    wait_until(lambda: states(manager, "a") == [State.END])
    with pytest.raises(tf.errors.NotFoundError):
        manager.loaded(ModelSpec(name="a"))


def test_a_version_that_is_given_up_is_not_tried_again(tmp_path: Path) -> None:
    tries = []

    def load(name: str, version: int, folder: Path) -> Loaded:
        tries.append(version)
        raise tf.errors.DataLossError(None, None, "a torn file")

    manager = Manager(load, retries=Retries(9, 3600))
    manager.configure(models(tmp_path, "a"))
    manager.poll()
    wait_until(lambda: manager.is_settled())
    manager.configure(ModelServerConfig(model_config_list={}))
    manager.poll()
    wait_until(lambda: states(manager, "a") == [State.END])
    assert tries == [1]


def test_files_that_change_while_a_version_is_read_are_read_again(tmp_path: Path) -> None:
    tries = []

    def load(name: str, version: int, folder: Path) -> Loaded:
        tries.append(version)
        if len(tries) == 1:
            (folder / "late").touch()  # as a copy does that goes on
            raise tf.errors.DataLossError(None, None, "a torn file")
        return loaded(name, version)

    manager = Manager(load)
    manager.configure(models(tmp_path, "a"))
    manager.poll()
    wait_until(lambda: states(manager, "a") == [State.END])
    manager.poll()
    wait_until(lambda: states(manager, "a") == [State.AVAILABLE])


def test_after_versions_have_gone_their_remains_are_swept(tmp_path: Path) -> None:
    swept = []
    manager = Manager(lambda name, version, folder: loaded(name, version), retired=lambda: swept.append(True))
    manager.reload(models(tmp_path, "a"))
    assert not swept
    manager.reload(models(tmp_path, "b"))
    assert swept
