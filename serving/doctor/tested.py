"""The self-test, run as a process of its own, and read whatever becomes of it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

from serving.doctor.checks import Check, State, without_paths
from serving.doctor.known import HERE, Known
from serving.doctor.selftest import PART, STEPS

NEEDED = ("tensorflow", "keras", "tensorflow_serving", "grpc_reflection", "prometheus_client")
_AGAIN = "Install Kerascope again, from the wheel or the checkout that it came from: pip install --force-reinstall."
LONGEST_S = 180.0
_BY_SIGNAL = {
    signal.SIGILL: "TensorFlow was not built for this processor: its wheels need AVX.",
    signal.SIGABRT: "TensorFlow was not built for this processor, or a library of it is broken: install it anew.",
    signal.SIGKILL: "The system ended it, most likely for want of memory.",
}


def selftest(folder: Path = HERE, *, longest_s: float = LONGEST_S) -> list[Check]:
    """Every step of the self-test, also those that it did not come to.

    Args:
        folder: with the known bundle, image and answers.
        longest_s: it is stopped after so long.
    """
    lacking = [name for name in NEEDED if find_spec(name) is None]
    if lacking:
        return _untested(STEPS, f"{', '.join(lacking)}: not installed", "pip install 'kerascope[serve]'")
    if damaged := Known(folder).damaged():
        found = f"the installation is incomplete: {', '.join(damaged)} missing or damaged"
        wrong = Check(PART, "known image and bundle", found, State.WRONG, _AGAIN)
        return [wrong, *_untested(STEPS, "its files are missing or damaged", "")]
    printed, end = _run(folder, longest_s)
    checks = [_check(json.loads(line)) for line in printed.splitlines() if line.startswith("{")]
    left = STEPS[len(checks) :]
    if left and end is not None:
        checks.append(Check(PART, left[0], end[0], State.WRONG, end[1]))
        left = left[1:]
    return checks + _untested(left, "the step before it failed", "")


def _run(folder: Path, longest_s: float) -> tuple[str, tuple[str, str] | None]:
    """What it printed; and, where it did not end well, how it ended and what to do."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("KERASCOPE_")}
    environment |= {"TF_CPP_MIN_LOG_LEVEL": "3", "TF_FORCE_GPU_ALLOW_GROWTH": "true"}
    command = [sys.executable, "-m", "serving.doctor.selftest", str(folder)]
    try:
        done = subprocess.run(command, capture_output=True, timeout=longest_s, env=environment, check=False)
    except subprocess.TimeoutExpired as stopped:
        ended = (f"did not end within {longest_s:.0f} s", "Close other programs, and run it again.")
        return (stopped.stdout or b"").decode(errors="replace"), ended
    printed = done.stdout.decode(errors="replace")
    return printed, death(done.returncode, done.stderr.decode(errors="replace")) if done.returncode else None


def death(status: int, said: str) -> tuple[str, str]:
    """How a process ended, by its status and its standard error; and what to do."""
    if status < 0:
        number = signal.Signals(-status)
        return f"its process was ended by {number.name}", _BY_SIGNAL.get(number, "Send this report.")
    last = (said.strip().splitlines() or [f"status {status}"])[-1]
    return without_paths(last), "Send this report."


def _check(said: dict[str, str]) -> Check:
    found = f"{said['found']}; {said['seconds']} s"
    return Check(said["part"], said["name"], found, State(said["state"]), said["fix"])


def _untested(steps: tuple[str, ...], why: str, fix: str) -> list[Check]:
    return [Check(PART, step, why, State.NOT_TESTED, fix) for step in steps]
