"""More than a gateway takes on: `python -m benchmarks.overload [clients] [seconds]`; 64 clients for 30 s unless told.

Each client sends a DICOM file of 2048 x 2048 pixels of 12 bits, uncompressed, and another one as soon as it has its
answer; one that is turned away waits half a second. They share eight processes: with 64 clients in one, most of what a
refusal took was the wait for their own interpreter. Prints how long those answered waited, how long those turned away,
and the gateway's memory. Ends with 1 where a call failed otherwise, where the slowest hundredth of the answers took
longer than the gateway's deadline, or where turning away took longer than a second at the median.
"""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

import numpy as np

from benchmarks.crowd import ANSWERED, Times, crowd
from benchmarks.radiograph import radiograph
from benchmarks.watched import Memory, watched
from serving.settings import Settings

REGISTRY = Path(__file__).parents[1] / "build" / "bench" / "registry"
BACKBONE = "mobilenetv2"
AT_ONCE_S = 1.0
TURNED_AWAY = "TooManyRequests"


def main(clients: int, seconds: float) -> int:
    """Measures and prints."""
    from benchmarks.bundles import bundle  # TensorFlow, which the crowd's processes have no use for

    made, data = bundle(BACKBONE, REGISTRY), radiograph()
    with watched(made, REGISTRY) as (address, memory):
        crowd(address, made.name, data, 1, 2.0)  # threads, codecs and buffers are there
        alone = memory.peak_mib
        memory.reset()
        times = crowd(address, made.name, data, clients, seconds)
        return _report(times, memory, alone, seconds)


def _report(times: Times, memory: Memory, alone: float, seconds: float) -> int:
    for outcome, took in sorted(times.items()):
        p50, p99 = (1e3 * float(np.percentile(took, percent, method="inverted_cdf")) for percent in (50, 99))
        print(f"{outcome:16} {len(took):6d} calls, p50 {p50:8.1f} ms, p99 {p99:8.1f} ms, max {1e3 * max(took):8.1f} ms")
    print(f"{len(times[ANSWERED]) / seconds:.1f} answers a second")
    print(f"gateway: {alone:.0f} MiB at most with one client, {memory.peak_mib:.0f} MiB with all of them")
    failed = Counter({outcome: len(took) for outcome, took in times.items()}) - Counter(
        {ANSWERED: 1 << 30, TURNED_AWAY: 1 << 30}
    )
    late = np.percentile(times[ANSWERED] or [np.inf], 99, method="inverted_cdf") > Settings().request_timeout_s
    slow = bool(times[TURNED_AWAY]) and np.median(times[TURNED_AWAY]) > AT_ONCE_S
    return int(bool(failed) or bool(late) or slow)


if __name__ == "__main__":
    given = [float(word) for word in sys.argv[1:]]
    sys.exit(main(int(given[0]) if given else 64, given[1] if len(given) > 1 else 30.0))
