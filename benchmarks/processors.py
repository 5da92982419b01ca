"""Machines that this one can play: other instruction sets, one thread, TensorFlow without oneDNN; and other seeds.

oneDNN and OpenBLAS can be held to an older instruction set than the processor has: ONEDNN_MAX_CPU_ISA
(https://uxlfoundation.github.io/oneDNN/dev_guide_cpu_dispatcher_control.html) and OPENBLAS_CORETYPE.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SEEDS = (0, 1, 2)
CONVOLUTION = "import tensorflow as tf; tf.nn.conv2d(tf.ones((4, 64, 64, 8)), tf.ones((3, 3, 8, 16)), 1, 'SAME')"


@dataclass(frozen=True, kw_only=True)
class Machine:
    """A machine to play, and the seed of the training on it.

    Attributes:
        name: of its folder.
        environment: what makes this machine that one.
        cores: on how many cores it may run; None for all.
        seed: of the training.
    """

    name: str
    environment: Mapping[str, str] = field(default_factory=dict)
    cores: int | None = None
    seed: int = SEEDS[0]

    def with_seed(self, seed: int) -> Machine:
        """The same with another seed, and a name of its own."""
        return self if seed == self.seed else replace(self, name=f"{self.name}-seed-{seed}", seed=seed)

    def popen(self, *command: str, **more: str) -> subprocess.Popen[str]:
        """Starts a command on this machine, its output and errors on one pipe."""
        cores = set(sorted(os.sched_getaffinity(0))[: self.cores])
        return subprocess.Popen(
            [sys.executable, *command],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            cwd=ROOT,
            env=os.environ | {"PYTHONPATH": str(ROOT)} | self.environment | more,
            preexec_fn=partial(os.sched_setaffinity, 0, cores),
        )


MACHINES = (
    Machine(name="default"),
    Machine(name="sse41", environment={"ONEDNN_MAX_CPU_ISA": "SSE41", "OPENBLAS_CORETYPE": "Nehalem"}),
    Machine(name="avx2", environment={"ONEDNN_MAX_CPU_ISA": "AVX2", "OPENBLAS_CORETYPE": "Haswell"}),
    Machine(name="avx512", environment={"ONEDNN_MAX_CPU_ISA": "AVX512_CORE"}),
    Machine(name="without-onednn", environment={"TF_ENABLE_ONEDNN_OPTS": "0"}),
    Machine(
        name="one-thread",
        environment={f"TF_NUM_{kind}_THREADS": "1" for kind in ("INTRAOP", "INTEROP")} | {"OMP_NUM_THREADS": "1"},
        cores=1,
    ),
)


def onednn(machine: Machine) -> str:
    """What oneDNN says of itself there: instruction set, threads, and the kernel of a convolution if it has one."""
    with machine.popen("-c", CONVOLUTION, ONEDNN_VERBOSE="1") as process:
        printed = process.communicate()[0]
    isa = re.search(r"cpu,isa:(.+)", printed)
    threads = re.search(r"nthr:(\d+)", printed)
    kernel = re.search(r"exec,cpu,convolution,([^,]+),", printed)
    if not isa or not threads:
        return "nothing reported"
    by = kernel[1] if kernel else "TensorFlow's own"
    return f"{isa[1]}; {threads[1]} threads; convolution: {by}"


def chosen(only: list[str] | None, *, every_seed: bool) -> list[Machine]:
    """The machines named; else each machine with the first seed and the default one with the others, too; or all."""
    everything = [machine.with_seed(seed) for machine in MACHINES for seed in SEEDS]
    usual = [*MACHINES, *(MACHINES[0].with_seed(seed) for seed in SEEDS[1:])]
    if only is None:
        return everything if every_seed else usual
    return [machine for machine in everything if machine.name in only]
