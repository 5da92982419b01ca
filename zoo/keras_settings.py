"""Keras' global settings, held to the values that our networks are written for.

Keras reads them from `keras.json` and from variables as it is imported; a program can change them later. They change
what a network computes: with `channels_first` a convolution takes rows for channels, with `float16` a loss ends in a
traceback, and what another backend computes cannot be exported.

`prepare` and `pin` set them, in the processes of our commands (`zoo.terminal.load_tensorflow`). `check` only compares
them, wherever a network is built, read, explained or exported: in a program that uses us as a library the settings are
that program's, and are not changed behind its back.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from zoo.errors import BadConfig

log = logging.getLogger(__name__)

WANTED: dict[str, object] = {
    "backend": "tensorflow",
    "image_data_format": "channels_last",
    "floatx": "float32",
    "epsilon": 1e-7,
    "dtype_policy": "float32",
    "max_epochs": None,
    "max_steps_per_epoch": None,
}
"""What `keras.config` must say of each."""

_CHANGED = "the program changed it; `keras.config` changes it back"
# What each variable sets, and to what it is set here; None for not at all.
_VARIABLES = {
    "KERAS_BACKEND": ("backend", "tensorflow"),
    "KERAS_MAX_EPOCHS": ("max_epochs", None),
    "KERAS_MAX_STEPS_PER_EPOCH": ("max_steps_per_epoch", None),
    "KERAS_NNX_ENABLED": ("nnx_enabled", "0"),
    "TF_USE_LEGACY_KERAS": ("legacy_keras", "0"),
}
_FILE = "settings file"
_HARMLESS = ("", "0", "false")  # of the variables that switch something
# Keras' own conditions; it ends in a traceback where one is not met.
_READABLE = {
    "floatx": ("float16", "float32", "float64"),
    "image_data_format": ("channels_first", "channels_last"),
}


class Deviation(NamedTuple):
    """One setting that is not as our networks want it.

    Attributes:
        setting: its name.
        found: its value.
        wanted: what it has to be.
        source: `keras.json`, a variable's name, or how a program came to it.
    """

    setting: str
    found: object
    wanted: object
    source: str


def config_path(environment: Mapping[str, str] | None = None) -> Path:
    """Where Keras looks for `keras.json`: in KERAS_HOME, or else in `~/.keras`, or else in `/tmp/.keras`."""
    environment = os.environ if environment is None else environment
    if "KERAS_HOME" in environment:
        return Path(os.path.expanduser(environment["KERAS_HOME"])) / "keras.json"
    home = os.path.expanduser("~")
    return Path(home if os.access(home, os.W_OK) else "/tmp") / ".keras" / "keras.json"


def read_config(environment: Mapping[str, str] | None = None) -> dict[str, Any]:
    """What `keras.json` says; nothing where there is none. One that is not JSON Keras passes over; here it says so.

    Raises:
        BadConfig: Keras could not be imported with this file.
    """
    path = config_path(environment)
    if path.exists() and not path.is_file():
        raise _unusable(path, "cannot be read (it is a folder, a pipe or a device, not a file)")
    try:
        said = json.loads(path.read_bytes()) if path.exists() else {}
    except OSError as error:
        raise _unusable(path, f"cannot be read ({error.strerror})") from None
    except RecursionError:
        raise _unusable(path, "nests too deeply to be read") from None
    except ValueError:
        return {_FILE: "not JSON"}
    if not isinstance(said, dict):
        raise _unusable(path, "holds no JSON object")
    for setting, choices in _READABLE.items():
        if said.get(setting, choices[0]) not in choices:
            raise _unusable(path, f"sets {setting} to {said[setting]!r}; Keras knows {', '.join(choices)}")
    if not isinstance(said.get("epsilon", 1e-7), float):
        raise _unusable(path, f"sets epsilon to {said['epsilon']!r}; Keras wants a number with a decimal point")
    return said


def _unusable(path: Path, fault: str) -> BadConfig:
    return BadConfig(f"Keras' settings file {path} {fault}. Correct it or remove it: Keras then writes a new one.")


def deviations(environment: Mapping[str, str] | None = None) -> list[Deviation]:
    """What `keras.json` and the variables would change, without importing Keras.

    Raises:
        BadConfig: as `read_config`.
    """
    environment = os.environ if environment is None else environment
    said = read_config(environment)
    if environment.get("KERAS_BACKEND"):
        said.pop("backend", None)  # the variable counts before the file
    wanted = {**WANTED, "nnx_enabled": False, _FILE: "Keras' defaults"}
    found = [
        Deviation(name, value, wanted[name], "keras.json")
        for name, value in said.items()
        if name in wanted and value != wanted[name]
    ]
    for name, (setting, value) in _VARIABLES.items():
        given = environment.get(name, "")
        if given.lower() not in _HARMLESS and given != value:
            found.append(Deviation(setting, given, value or "no limit", name))
    return found


def prepare() -> None:
    """Sets the variables, before anything imports Keras or TensorFlow; the log says what Kerascope does differently.

    Raises:
        BadConfig: Keras could not be imported with its settings file.
    """
    for each in deviations():
        log.warning("Keras' %s is %s (%s). Kerascope computes with %s.", *each[:2], each.source, each.wanted)
    for name, (_, value) in _VARIABLES.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value


def pin() -> None:
    """Sets Keras' settings to those that our networks want, after `prepare`. For processes of our own.

    Raises:
        BadConfig: Keras was imported with another backend.
    """
    import keras

    for name in WANTED.keys() - {"backend"}:
        getattr(keras.config, f"set_{name}")(WANTED[name])
    check()


def check() -> None:
    """Compares Keras' settings with those that our networks want.

    Raises:
        BadConfig: one differs; the message says which, where it comes from and how to change it.
    """
    found = {name: value for name, value in _current().items() if value != WANTED[name]}
    if not found:
        return
    sources = {each.setting: each.source for each in _told()}
    faults = [f"{name} is {value} ({sources.get(name, _CHANGED)})" for name, value in found.items()]
    wanted = ", ".join(f"{name} {WANTED[name]}" for name in found)
    raise BadConfig(
        f"Keras' {'; '.join(faults)}. Kerascope's networks are written for {wanted}: set that before Keras is "
        f"imported, in {config_path()} or by its variable. `kerascope` commands set it themselves."
    )


def _current() -> dict[str, object]:
    from keras import config

    return {
        "backend": config.backend(),
        "image_data_format": config.image_data_format(),
        "floatx": config.floatx(),
        "epsilon": config.epsilon(),
        "dtype_policy": config.dtype_policy().name,
        "max_epochs": config.max_epochs(),
        "max_steps_per_epoch": config.max_steps_per_epoch(),
    }


def _told() -> list[Deviation]:
    try:
        return deviations()
    except BadConfig:  # the file was changed after Keras had read it
        return []
