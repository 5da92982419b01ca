"""Variables and Keras settings that are unusual.

A value is shown only of a variable that chooses how numbers are computed, and only where it can be no path; of all
others the name alone.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from serving.doctor.checks import Check, State, without_paths
from zoo import errors, keras_settings

PART = "environment"
_PRECISION = "answers then differ by up to a few percent"
_LAST_BITS = "answers then differ in their last bits"
_LIBRARIES = "other modules or libraries than the installed ones may be loaded"
_UNSET = "Unset it, unless you set it on purpose."


class Variable(NamedTuple):
    """A variable that changes how Kerascope runs: what it does, and whether its value may be shown."""

    effect: str
    shown: bool = True


VARIABLES = {
    "TF_ENABLE_ONEDNN_OPTS": Variable(f"oneDNN on or off; {_LAST_BITS}"),
    "ONEDNN_MAX_CPU_ISA": Variable(f"hides processor features from oneDNN; {_LAST_BITS}"),
    "DNNL_MAX_CPU_ISA": Variable(f"hides processor features from oneDNN; {_LAST_BITS}"),
    "ONEDNN_DEFAULT_FPMATH_MODE": Variable(f"oneDNN may compute in fewer bits; {_PRECISION}"),
    "TF_SET_ONEDNN_FPMATH_MODE": Variable(f"oneDNN may compute in fewer bits; {_PRECISION}"),
    "NVIDIA_TF32_OVERRIDE": Variable("TensorFloat-32 on the GPU, whatever TensorFlow says"),
    "XLA_FLAGS": Variable(f"changes XLA; {_LAST_BITS}"),
    "TF_XLA_FLAGS": Variable(f"TensorFlow may compile by XLA; {_LAST_BITS}"),
    "TF_NUM_INTRAOP_THREADS": Variable("threads within one operation"),
    "TF_NUM_INTEROP_THREADS": Variable("operations at once"),
    "OMP_NUM_THREADS": Variable("threads of OpenMP"),
    "CUDA_VISIBLE_DEVICES": Variable("hides GPUs"),
    "PYDICOM_FUTURE": Variable("pydicom behaves as its next version"),
    "PYTHONOPTIMIZE": Variable("Python leaves its assertions out"),
    "PYTHONWARNINGS": Variable("may turn warnings into errors", shown=False),
    "PYTHONPATH": Variable(_LIBRARIES, shown=False),
    "PYTHONHOME": Variable(_LIBRARIES, shown=False),
    "LD_PRELOAD": Variable(_LIBRARIES, shown=False),
    "LD_LIBRARY_PATH": Variable(_LIBRARIES, shown=False),
}
_FAMILIES = re.compile(r"(KERASCOPE|KERAS|TF|XLA|ONEDNN|DNNL|OMP|KMP|MKL|OPENBLAS|GRPC|CUDA|CUDNN)_\w+")
_NO_PATH = re.compile(r"[\w.,=+ -]{1,80}")
_PROXIES = ("grpc_proxy", "https_proxy", "http_proxy")  # those that gRPC reads


def examine(environment: Mapping[str, str] | None = None) -> Iterator[Check]:
    """One check for each unusual variable or setting, and one with the names of the others that Kerascope, TensorFlow
    or their libraries may read."""
    environment = os.environ if environment is None else environment
    yield from keras(environment)
    for name in sorted(VARIABLES.keys() & environment.keys()):
        yield _variable(name, environment[name])
    yield from proxy(environment)
    others = sorted(name for name in environment if _FAMILIES.fullmatch(name) and name not in VARIABLES)
    yield Check(PART, "other variables", f"{', '.join(others)} (values are not shown)" if others else "none")


def keras(environment: Mapping[str, str]) -> Iterator[Check]:
    """Keras' settings that are not as our networks want them."""
    try:
        found = keras_settings.deviations(environment)
    except errors.BadConfig as error:
        yield Check(PART, "Keras' settings", without_paths(str(error)), State.WRONG, "Correct or remove the file.")
        return
    for each in found:
        value = str(each.found) if _NO_PATH.fullmatch(str(each.found)) else "something else"
        text = f"{each.setting} is {value} ({each.source}); Kerascope's commands compute with {each.wanted}"
        fix = "Nothing for the commands. A program that imports Kerascope is refused until it is changed."
        yield Check(PART, "Keras' settings", text, State.UNUSUAL, fix)


def _variable(name: str, value: str) -> Check:
    variable = VARIABLES[name]
    shown = f"is {value}" if variable.shown and _NO_PATH.fullmatch(value) else "is set"
    return Check(PART, name, f"{shown}: {variable.effect}", State.UNUSUAL, _UNSET)


def proxy(environment: Mapping[str, str]) -> Iterator[Check]:
    """The first proxy variable that gRPC reads; `serving.channel.direct` exempts this machine's own servers."""
    name = next((each for each in _PROXIES if environment.get(each)), None)
    if name:
        yield Check(PART, name, "is set; servers on other machines are reached through this proxy")
