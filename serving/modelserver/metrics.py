"""What Prometheus is told, under TensorFlow Serving's names and as it writes them (util/prometheus_exporter.cc).

No library for Prometheus writes a counter without the ending `_total`, and TensorFlow Serving's have none.
"""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass, field


def _exponential(first: float, factor: float, number: int) -> tuple[float, ...]:
    return tuple(first * factor**power for power in range(number))


_LATENCY = _exponential(10, 1.8, 33)  # microseconds, up to 20 minutes
_SIZES = _exponential(1, 2, 15)


@dataclass(frozen=True)
class Kind:
    """One metric: its labels, and for a distribution the upper limits of its buckets."""

    labels: tuple[str, ...]
    limits: tuple[float, ...] = ()


KINDS: Mapping[str, Kind] = {
    ":tensorflow:serving:request_count": Kind(("model_name", "status")),
    ":tensorflow:serving:request_latency": Kind(("model_name", "API", "entrypoint"), _LATENCY),
    ":tensorflow:serving:runtime_latency": Kind(("model_name", "API", "runtime"), _LATENCY),
    ":tensorflow:serving:request_example_counts": Kind(("model",), _SIZES),
    ":tensorflow:serving:request_example_count_total": Kind(("model",)),
    ":tensorflow:serving:model_warmup_latency": Kind(("model_path", "status"), _LATENCY),
    ":tensorflow:serving:batching_session:queuing_latency": Kind(("thread_pool_name",), _exponential(100, 1.2, 52)),
    ":tensorflow:serving:batching_session:wrapped_run_count": Kind(()),
    ":tensorflow:serving:batching_session:input_batch_size": Kind(("model_name",), _SIZES),
    ":tensorflow:serving:batching_session:processed_batch_size": Kind(("model_name",), _SIZES),
    ":tensorflow:serving:batching_session:padding_size": Kind(("model_name", "execution_batch_size"), _SIZES),
    ":tensorflow:cc:saved_model:load_attempt_count": Kind(("model_path", "status")),
    ":tensorflow:cc:saved_model:load_latency": Kind(("model_path",)),
}
"""The metrics there are. Latencies are in microseconds."""


@dataclass
class _Point:
    """One set of label values: a sum, and for a distribution how many fell into each bucket."""

    total: float = 0
    buckets: list[int] = field(default_factory=list)


class Metrics:
    """Counts and distributions, from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._points: dict[str, dict[tuple[str, ...], _Point]] = {name: {} for name in KINDS}

    def add(self, name: str, *labels: str, value: float = 1) -> None:
        """Adds to a counter, or notes one value of a distribution; labels as in KINDS, in that order."""
        limits = KINDS[name].limits
        with self._lock:
            point = self._points[name].get(labels)
            if point is None:
                point = self._points[name][labels] = _Point(buckets=[0] * (len(limits) + 1) if limits else [])
            point.total += value
            if limits:
                point.buckets[bisect_left(limits, value)] += 1

    def page(self) -> str:
        """All of it in Prometheus' text format; a metric that has nothing to tell is left out."""
        lines = []
        with self._lock:
            for name, points in self._points.items():
                if points:
                    lines.append(f"# TYPE {name} {'histogram' if KINDS[name].limits else 'counter'}")
                for labels, point in points.items():
                    lines += _lines(name, labels, point)
        return "\n".join(lines) + "\n"


def _lines(name: str, values: tuple[str, ...], point: _Point) -> list[str]:
    kind = KINDS[name]
    labels = ",".join(f'{label}="{_escaped(value)}"' for label, value in zip(kind.labels, values, strict=True))
    if not kind.limits:
        return [f"{name}{{{labels}}} {point.total:.0f}"]
    lines, below, comma = [], 0, "," if labels else ""
    for limit, number in zip([*(f"{limit:g}" for limit in kind.limits), "+Inf"], point.buckets, strict=True):
        below += number
        lines.append(f'{name}_bucket{{{labels}{comma}le="{limit}"}} {below}')
    return [*lines, f"{name}_sum{{{labels}}} {point.total:g}", f"{name}_count{{{labels}}} {below}"]


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
