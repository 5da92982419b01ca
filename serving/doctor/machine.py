"""What this machine is: processor, cores, memory, disk, GPU. Linux's own files are the source (proc(5), cgroups(7))."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from serving.doctor.checks import Check, State

PART = "machine"
# What oneDNN chooses its kernels by (https://oneapi-src.github.io/oneDNN/dev_guide_cpu_dispatcher_control.html).
FEATURES = {
    "avx": "AVX",
    "avx2": "AVX2",
    "fma": "FMA",
    "avx_vnni": "AVX-VNNI",
    "avx512f": "AVX-512",
    "avx512_vnni": "AVX-512 VNNI",
    "avx512_bf16": "AVX-512 bfloat16",
    "avx512_fp16": "AVX-512 float16",
    "amx_tile": "AMX",
    "asimd": "Advanced SIMD",
    "sve": "SVE",
    "bf16": "bfloat16",
}
COMFORTABLE_MEMORY_BYTES = 7 << 30  # what is left of 8 GB, which the README asks for
LITTLE_DISK_BYTES = 2 << 30
LITTLE_MEMORY = "Close other programs, or train smaller pictures in smaller batches."


def examine(root: Path = Path("/")) -> Iterator[Check]:
    """The machine's facts, one check each.

    Args:
        root: the folder that holds `proc` and `sys`.
    """
    yield processor(root)
    yield cores(root)
    yield memory(root)
    yield from disks()
    yield gpu()


def processor(root: Path) -> Check:
    """The processor's model, and those of its features that oneDNN uses."""
    lines = _lines(root / "proc/cpuinfo")
    model = lines.get("model name") or platform.machine()
    flags = (lines.get("flags") or lines.get("Features") or "").split()
    found = f"{model}: {', '.join(name for flag, name in FEATURES.items() if flag in flags) or 'no features known'}"
    if lines.get("flags") and "avx" not in flags:
        return Check(PART, "processor", found, State.WRONG, "TensorFlow's wheels need AVX: take another machine.")
    return Check(PART, "processor", found)


def cores(root: Path) -> Check:
    """Cores that there are, that this process may use, and the share of time that its control group allows."""
    allowed, quota = len(os.sched_getaffinity(0)), cpu_quota(root)
    found = f"{allowed} of {os.cpu_count()} may be used"
    if quota is None:
        return Check(PART, "cores", f"{found}, no quota")
    found += f", for the time of {quota:g} (control group)"
    if quota >= allowed:
        return Check(PART, "cores", found)
    fix = f"Set TF_NUM_INTRAOP_THREADS={max(1, round(quota))}: TensorFlow starts a thread for each core it sees."
    return Check(PART, "cores", found, State.UNUSUAL, fix)


def cpu_quota(root: Path) -> float | None:
    """Cores' worth of time that the control group allows; None where it does not limit it. Version 2, or else 1."""
    for text in _group_files(root, "cpu.max"):
        limit, period = text.split()
        if limit != "max":
            return int(limit) / int(period)
    for text in _group_files(root, "cpu.cfs_quota_us", "cpu"):
        if int(text) > 0:
            return int(text) / 100_000  # the usual period
    return None


def memory(root: Path) -> Check:
    """Memory that there is, that is free, and the control group's limit."""
    lines = _lines(root / "proc/meminfo")
    total, free = (int(lines.get(name, "0 kB").split()[0]) << 10 for name in ("MemTotal", "MemAvailable"))
    limits = [*_group_files(root, "memory.max"), *_group_files(root, "memory.limit_in_bytes", "memory")]
    limit = min((int(text) for text in limits if text != "max"), default=total)
    found = f"{_gigabytes(total)}, {_gigabytes(free)} free"
    if limit < total:
        found += f", limited to {_gigabytes(limit)} (control group)"
    if min(limit, total) < COMFORTABLE_MEMORY_BYTES:
        return Check(PART, "memory", found, State.UNUSUAL, f"8 GB are comfortable. {LITTLE_MEMORY}")
    return Check(PART, "memory", found)


def disks() -> Iterator[Check]:
    """Free room where Kerascope writes. The folders are named by what they are: a path may name a person."""
    yield _disk("working folder", Path())
    yield _disk("registry", Path(os.environ.get("KERASCOPE_REGISTRY") or "registry"))
    yield _disk("temporary folder", Path(tempfile.gettempdir()))


def _disk(name: str, folder: Path) -> Check:
    try:
        folder = folder.absolute()
    except FileNotFoundError:
        return Check(PART, f"disk: {name}", "the working folder was deleted", State.UNUSUAL, "Go to another folder.")
    there = next(each for each in (folder, *folder.parents) if each.exists())
    free, writable = shutil.disk_usage(there).free, os.access(there, os.W_OK)
    found = f"{_gigabytes(free)} free, {'writable' if writable else 'not writable'}"
    found += "" if there == folder else " (not there yet)"
    if not writable:
        return Check(PART, f"disk: {name}", found, State.UNUSUAL, "Take a folder that you may write to.")
    if free < LITTLE_DISK_BYTES:
        return Check(PART, f"disk: {name}", found, State.UNUSUAL, "Make room: a run and its bundle take up to 2 GB.")
    return Check(PART, f"disk: {name}", found)


def gpu() -> Check:
    """What `nvidia-smi` says; the self-test says what TensorFlow sees."""
    if shutil.which("nvidia-smi") is None:
        return Check(PART, "GPU", "no nvidia-smi; a GPU is not needed")
    command = ["nvidia-smi", "--query-gpu=name,memory.total,driver_version", "--format=csv,noheader"]
    try:
        said = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True).stdout.strip()
    except (OSError, subprocess.SubprocessError) as error:
        fix = "Look whether NVIDIA's driver is loaded: `nvidia-smi` says what it lacks."
        return Check(PART, "GPU", f"nvidia-smi fails ({type(error).__name__})", State.UNUSUAL, fix)
    return Check(PART, "GPU", "; ".join(said.splitlines()) or "nvidia-smi lists none")


def _group_files(root: Path, name: str, controller: str = "") -> Iterator[str]:
    """A file of this process's control group and of those above it, as far as they can be seen."""
    for line in _text(root / "proc/self/cgroup").splitlines():
        _, controllers, path = line.split(":", 2)
        if controller not in controllers.split(","):
            continue
        top = root / "sys/fs/cgroup" / controller
        here = top / path.lstrip("/")
        for folder in (here, *here.parents):
            if folder == top.parent:
                break
            if text := _text(folder / name).strip():
                yield text


def _lines(path: Path) -> dict[str, str]:
    """`name: value` lines; the last of a name counts."""
    pairs = (line.split(":", 1) for line in _text(path).splitlines() if ":" in line)
    return {name.strip(): value.strip() for name, value in pairs}


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _gigabytes(length: int) -> str:
    return f"{length / 1e9:.1f} GB"
