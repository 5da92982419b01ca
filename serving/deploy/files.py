"""The files that depend on the registry: which models and versions, and the batches that their warm-up covers.

Formats: tensorflow_serving/config/model_server_config.proto and servables/tensorflow/session_bundle_config.proto
(BatchingParameters) of https://github.com/tensorflow/serving.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce

from google.protobuf import text_format
from tensorflow_serving.config.model_server_config_pb2 import ModelServerConfig

from serving.deploy.labels import Labels
from zoo import errors

PLATFORM = "tensorflow"
INTRA_OP_THREADS = 1  # where each core computes calls of its own
ONE_CORE_A_CALL = f"--tensorflow_intra_op_parallelism={INTRA_OP_THREADS}"
WRITTEN = "# Written by `kerascope deploy render`"


@dataclass(frozen=True)
class Batching:
    """How calls that arrive together are computed together.

    Attributes:
        sizes: the batch sizes that the server may form, rising.
        timeout_us: how long a lone call waits for company, in microseconds.
        threads: batches computed at once.
        waiting: batches that may wait; one more is refused.
        call_rows: rows of one call at most, where that is more than the largest size: it is computed in parts.
    """

    sizes: tuple[int, ...]
    timeout_us: int = 2000
    threads: int = 2
    waiting: int = 32
    call_rows: int | None = None

    @classmethod
    def one_by_one(cls, warmed: tuple[int, ...], cores: int, timeout_us: int = 0) -> Batching:
        """Calls as they come, a core for each. Company saves nothing there, and makes whoever comes next wait.

        As many rows may wait as in full batches.

        Args:
            warmed: the sizes that the warm-up covers, rising; the smallest is used.
            cores: of the server, to itself.
            timeout_us: as above.
        """
        waiting = cls.waiting * warmed[-1] // warmed[0]
        return cls(warmed[:1], timeout_us, threads=cores, waiting=waiting, call_rows=warmed[-1])


def models_config(models: Mapping[str, Labels], folder: str) -> str:
    """A ModelServerConfig: each model pinned to the versions that bear a label.

    Args:
        models: name -> label -> version.
        folder: where the servers find the registry, an absolute path.
    """
    config = ModelServerConfig()
    for name, labels in sorted(models.items()):
        model = config.model_config_list.config.add(
            name=name, base_path=f"{folder.rstrip('/')}/{name}", model_platform=PLATFORM
        )
        model.model_version_policy.specific.versions.extend(sorted(set(labels.values())))
        for label, version in sorted(labels.items()):
            model.version_labels[label] = version
    return (
        f"{WRITTEN}; changed by `kerascope models promote`, `rollback` and `canary`.\n"
        + text_format.MessageToString(config)
    )


def batching_config(batching: Batching) -> str:
    """BatchingParameters, with what each is for."""
    most, allowed = batching.sizes[-1], "".join(f"allowed_batch_sizes: {size}\n" for size in batching.sizes)
    if batching.call_rows is None:
        how = f"""\
# Calls that arrive together and ask for every output of a signature are computed together. The sizes are those of every
# bundle's warm-up requests, so none is new to the GPU; a batch in between is padded up to the next.
max_batch_size {{ value: {most} }}
"""
    else:
        how = f"""\
# Each core computes one call at a time: company would save nothing there, and whoever comes next would wait longer.
# A call of more rows is computed in parts. The size is the smallest of every bundle's warm-up requests.
max_batch_size {{ value: {batching.call_rows} }}
enable_large_batch_splitting {{ value: true }}
max_execution_batch_size {{ value: {most} }}
"""
    return f"""{WRITTEN}.
{how}{allowed}# A lone call waits this long for company, in microseconds.
batch_timeout_micros {{ value: {batching.timeout_us} }}
# Batches computed at once, and batches that may wait; one more is refused, and the gateway says UNAVAILABLE.
num_batch_threads {{ value: {batching.threads} }}
max_enqueued_batches {{ value: {batching.waiting} }}
"""


def common_sizes(warmed: Mapping[str, Sequence[int]]) -> tuple[int, ...]:
    """The batch sizes that every bundle's warm-up covers, rising.

    Args:
        warmed: the sizes by bundle.

    Raises:
        BadBundle: there is none.
    """
    shared = reduce(set.intersection, (set(sizes) for sizes in warmed.values()))
    if not shared:
        told = "; ".join(f"{name}: {', '.join(map(str, sizes)) or 'none'}" for name, sizes in warmed.items())
        raise errors.BadBundle(
            f"No batch size is warmed up by every bundle ({told}). Export them again with one set of sizes, or render "
            "them apart with --model."
        )
    return tuple(sorted(shared))


def kustomization(
    kind: str, tag: str, replicas: tuple[int, int], memory_fraction: float, cpus: int | None = None
) -> str:
    """The overlay `gpu` or `cpu` for kustomize.

    Args:
        kind: of the two.
        tag: version of TensorFlow Serving; the GPU's image ends in -gpu.
        replicas: fewest and most model servers.
        memory_fraction: part of the GPU's memory that a server takes.
        cpus: cores that a server on processors has, each with calls of its own; None to leave them as they are.
    """
    is_gpu = kind == "gpu"
    server = ""
    if is_gpu:
        server = _server_patch("add", "args/-", f"--per_process_gpu_memory_fraction={memory_fraction:g}")
    elif cpus:
        server = _server_patch("add", "args/-", ONE_CORE_A_CALL)
        server += _server_patch("replace", "resources/requests/cpu", f'"{cpus}"')
    return f"""{WRITTEN}.
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
namespace: kerascope
resources:
  - ../../base
images:
  - name: tensorflow/serving
    newTag: {tag}{"-gpu" if is_gpu else ""}
patches:
  - path: model-server.yaml
{server}  - target: {{ kind: HorizontalPodAutoscaler, name: model-server }}
    patch: |-
      - op: replace
        path: /spec/minReplicas
        value: {replicas[0]}
      - op: replace
        path: /spec/maxReplicas
        value: {replicas[1]}
"""


def _server_patch(op: str, path: str, value: str) -> str:
    return f"""  - target: {{ kind: Deployment, name: model-server }}
    patch: |-
      - op: {op}
        path: /spec/template/spec/containers/0/{path}
        value: {value}
"""
