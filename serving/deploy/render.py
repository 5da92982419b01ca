"""Everything that runs TensorFlow Serving with a registry's models, in one folder.

compose.yaml, .env                       one machine: docker compose up
kubernetes/base, overlays/gpu, cpu       a cluster: kubectl apply -k kubernetes/overlays/gpu
kubernetes/dicom-node                    and the DICOM node beside it
dicom-node/                              node.toml: who may send images, which models are asked
tfserving/                               models.config, batching.config, monitoring.config, ready.sh
prometheus/, grafana/                    metrics, alerts, dashboards

What does not depend on the registry is copied from the folder `deploy` of the repository, or of the installed package.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from serving.deploy import files
from serving.deploy.commands import TENSORFLOW_SERVING
from serving.deploy.files import Batching
from serving.deploy.labels import CANARY, STABLE, Labels
from serving.deploy.warmed import warmed_sizes
from zoo import disk, errors, installation
from zoo.bundles import Bundle, Registry

SOURCE = installation.folder("deploy")
CHECKOUT = SOURCE.parent if (SOURCE.parent / "Dockerfile").is_file() else None
COPIED = ("compose.yaml", "tfserving", "dicom-node", "kubernetes", "prometheus", "grafana")
CONTAINER_REGISTRY = "/models"
OVERLAYS = ("gpu", "cpu")
GPU_THREADS, CPU_THREADS = 2, 4
GPU_TIMEOUT_US, CPU_TIMEOUT_US = 2000, 0  # on a processor company saves next to nothing


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What to render.

    Attributes:
        registry: the folder of bundles.
        out: the folder to write; what is in it of the same names is replaced.
        gpu: whether `docker compose up` starts the server for GPUs.
        names: the models; empty for all.
        stable, canary: versions by model; `stable` is the newest where none is named.
        tensorflow_serving: version of the image.
        gpu_memory_fraction: part of the GPU's memory that a server takes at its start.
        replicas: fewest and most model servers on Kubernetes.
        cpus: cores that a server without a GPU has to itself, each of which then computes one call at a time; None to
            leave sharing them to TensorFlow.
        batch_timeout_us: how long a lone call waits for company, in microseconds; None for what suits GPU or processor.
    """

    registry: Path
    out: Path
    gpu: bool = True
    names: Sequence[str] = ()
    stable: Mapping[str, int] = field(default_factory=dict)
    canary: Mapping[str, int] = field(default_factory=dict)
    tensorflow_serving: str = TENSORFLOW_SERVING
    gpu_memory_fraction: float = 0.9
    replicas: tuple[int, int] = (2, 4)
    cpus: int | None = None
    batch_timeout_us: int | None = None

    def __post_init__(self) -> None:
        if not re.fullmatch(r"\d+\.\d+\.\d+(-rc\d+)?", self.tensorflow_serving):
            raise errors.BadConfig(
                f"The version of TensorFlow Serving is {self.tensorflow_serving!r}; it must be pinned, such as "
                f"{TENSORFLOW_SERVING}."
            )
        if not 0 < self.gpu_memory_fraction <= 1:
            raise errors.BadConfig(
                f"The fraction of the GPU's memory is {self.gpu_memory_fraction}; it must be over 0 and at most 1."
            )
        if not 1 <= self.replicas[0] <= self.replicas[1]:
            raise errors.BadConfig(
                f"From {self.replicas[0]} to {self.replicas[1]} replicas is no range; the fewest come first, and "
                "there is at least 1."
            )
        if self.cpus is not None and (self.gpu or self.cpus < 1):
            raise errors.BadConfig(
                f"Cores were given ({self.cpus}); that is for a server on a processor (`--cpu`), and at least 1."
            )


def render(plan: Plan) -> Mapping[str, Labels]:
    """Writes the folder.

    Returns:
        The versions by model and label.

    Raises:
        UnknownModel: the registry is empty, or has no such model or version.
        BadBundle: a bundle does not match its checksums, or no batch size is common to all.
        BadConfig: this installation has no folder `deploy`.
    """
    chosen = _chosen(plan)
    bundles = [
        Registry(plan.registry).bundle(name, version)
        for name, labels in chosen.items()
        for version in sorted(set(labels.values()))
    ]
    for bundle in bundles:
        bundle.verify()
    batching = _batching(plan, files.common_sizes({_title(bundle): warmed_sizes(bundle) for bundle in bundles}))
    _copy(plan.out)
    for name, text in _written(plan, chosen, batching).items():
        disk.write_whole(plan.out / name, text)
    return chosen


def _batching(plan: Plan, warmed: tuple[int, ...]) -> Batching:
    timeout_us = plan.batch_timeout_us
    if timeout_us is None:
        timeout_us = GPU_TIMEOUT_US if plan.gpu else CPU_TIMEOUT_US
    if plan.cpus is not None:
        return Batching.one_by_one(warmed, plan.cpus, timeout_us)
    return Batching(warmed, timeout_us, threads=GPU_THREADS if plan.gpu else CPU_THREADS)


def _chosen(plan: Plan) -> Mapping[str, Labels]:
    registry = Registry(plan.registry)
    names = list(plan.names) or registry.names()
    if not names:
        registry.bundle("")  # says that it is empty, and what to do
    stray = sorted({*plan.stable, *plan.canary} - set(names))
    if stray:
        raise errors.UnknownModel(f"A version is named for {', '.join(stray)}, but the models are {', '.join(names)}.")
    return {name: _labels(registry, name, plan) for name in names}


def _labels(registry: Registry, name: str, plan: Plan) -> Labels:
    labels = {STABLE: registry.bundle(name, plan.stable.get(name)).version}
    if name in plan.canary:
        labels[CANARY] = registry.bundle(name, plan.canary[name]).version
    if labels.get(CANARY) == labels[STABLE]:
        raise errors.BadRequest(
            f"{name} version {labels[STABLE]} is to be stable and canary. Name another with --stable {name}=VERSION."
        )
    return labels


def _written(plan: Plan, chosen: Mapping[str, Labels], batching: Batching) -> dict[str, str]:
    texts = {
        "tfserving/models.config": files.models_config(chosen, CONTAINER_REGISTRY),
        "tfserving/batching.config": files.batching_config(batching),
        ".env": _environment(plan),
    }
    for kind in OVERLAYS:
        texts[f"kubernetes/overlays/{kind}/kustomization.yaml"] = files.kustomization(
            kind, plan.tensorflow_serving, plan.replicas, plan.gpu_memory_fraction, plan.cpus
        )
    return texts


def _environment(plan: Plan) -> str:
    source = f"KERASCOPE_SOURCE={CHECKOUT}" if CHECKOUT else "# KERASCOPE_SOURCE=/the/folder/of/the/Dockerfile"
    return f"""{files.WRITTEN}, for `docker compose`.
COMPOSE_PROFILES={OVERLAYS[0] if plan.gpu else OVERLAYS[1]}
KERASCOPE_REGISTRY={plan.registry.resolve()}
{source}
TENSORFLOW_SERVING={plan.tensorflow_serving}
GPU_MEMORY_FRACTION={plan.gpu_memory_fraction:g}
INTRA_OP_THREADS={files.INTRA_OP_THREADS if plan.cpus else 0}
"""


def _copy(out: Path) -> None:
    if not (SOURCE / "compose.yaml").is_file():
        raise errors.BadConfig(
            f"{SOURCE} is not there: images do not hold the manifests. Render where Kerascope is installed with pip."
        )
    for name in COPIED:
        if (SOURCE / name).is_dir():
            shutil.copytree(SOURCE / name, out / name, dirs_exist_ok=True)
        else:
            out.mkdir(parents=True, exist_ok=True)
            shutil.copy(SOURCE / name, out / name)


def _title(bundle: Bundle) -> str:
    return f"{bundle.name} version {bundle.version}"


def pairs(words: Iterable[str]) -> dict[str, int]:
    """`NAME=VERSION` words as a dictionary.

    Raises:
        BadRequest: a word is no such pair.
    """
    found = {}
    for word in words:
        name, _, version = word.partition("=")
        if not name or not version.isdecimal() or not int(version):
            raise errors.BadRequest(f"{word!r} is no NAME=VERSION, such as first-model=3.")
        found[name] = int(version)
    return found
