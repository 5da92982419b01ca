"""What a load measured: every call, and what they come to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

PERCENTILES = (50, 90, 95, 99)


@dataclass(frozen=True)
class Sample:
    """One call.

    Attributes:
        due_s: when it was to be made, in seconds since the load began.
        latency_ms: from then to the answer; the wait for a free client counts.
        failure: the name of the error, empty for an answer.
        stages: what the answer says of where the time went, in milliseconds.
    """

    due_s: float
    latency_ms: float
    failure: str = ""
    stages: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Measured:
    """One load.

    Attributes:
        load: what was asked for: its kind, clients or rate, seconds, seed.
        samples: every call, in the order of their answers.
        elapsed_s: from the first call to the last answer.
    """

    load: Mapping[str, Any]
    samples: Sequence[Sample]
    elapsed_s: float

    @property
    def answered(self) -> list[Sample]:
        """The calls that got an answer."""
        return [sample for sample in self.samples if not sample.failure]

    @property
    def failures(self) -> dict[str, int]:
        """How often each error came."""
        return dict(Counter(sample.failure for sample in self.samples if sample.failure))

    @property
    def throughput(self) -> float:
        """Answers a second."""
        return len(self.answered) / self.elapsed_s if self.elapsed_s else 0.0

    def percentile(self, percent: float) -> float:
        """The latency, in milliseconds, that this part of the answered calls stayed within; NaN without an answer."""
        return _percentile([sample.latency_ms for sample in self.answered], percent)

    def stage(self, name: str, percent: float = 50) -> float:
        """The same of one stage."""
        return _percentile([sample.stages[name] for sample in self.answered if name in sample.stages], percent)

    @property
    def stages(self) -> list[str]:
        """The stages that answers told of, in their order."""
        return list(dict.fromkeys(name for sample in self.answered for name in sample.stages))

    def summary(self) -> dict[str, Any]:
        """All of it as plain values, for JSON: latencies in milliseconds, throughput in answers a second."""
        return {
            "load": dict(self.load),
            "calls": len(self.samples),
            "failed": len(self.samples) - len(self.answered),
            "failures": self.failures,
            "elapsed_s": self.elapsed_s,
            "throughput_per_s": self.throughput,
            "latency_ms": _spread([sample.latency_ms for sample in self.answered]),
            "stages_ms": {
                name: _spread([sample.stages[name] for sample in self.answered if name in sample.stages])
                for name in self.stages
            },
        }


def _spread(values: Sequence[float]) -> dict[str, float]:
    if not values:
        return {}
    return {f"p{percent}": _percentile(values, percent) for percent in PERCENTILES} | {"max": max(values)}


def _percentile(values: Sequence[float], percent: float) -> float:
    """The smallest value that at least so many percent do not exceed: one that was measured, never between two."""
    return float(np.percentile(values, percent, method="inverted_cdf")) if values else float("nan")
