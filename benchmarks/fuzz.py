"""Broken files through decode and gate: `python -m benchmarks.fuzz [count]`; 100,000 unless told.

Prints how many files there were, what became of them, the slowest and the peak of memory. Ends with 1 where one raised
what is no error of ours, or took longer than 5 s, or the process came to 2 GiB; a crash of a decoder ends the process
with its own status. Each file is written to `build/fuzz-last` before it is read, so that a crash leaves its cause.
"""

from __future__ import annotations

import collections
import resource
import sys
import time
from pathlib import Path

import numpy as np

from benchmarks import malformed
from zoo import errors
from zoo.cards import InputSpec
from zoo.imaging import gate
from zoo.imaging.image import read
from zoo.imaging.preprocess import preprocess

SPEC = InputSpec(height=224, width=224, channels=1, modalities=("CT", "CR"), body_parts=("CHEST",), views=("PA",))
LONGEST_S = 5.0
MOST_MIB = 2048
LAST = Path("build") / "fuzz-last"


def outcome(data: bytes) -> str:
    """What the gateway does with a file before it asks the model: `shown`, a `Reason`, or `UNTYPED` and what it was."""
    try:
        image = read(data, max_pixels=malformed.MAX_PIXELS)
        gate.check(image, SPEC)
        preprocess(image, SPEC)
    except (errors.BadImage, errors.ImageRefused) as error:
        return error.reason.value if "DOE" not in str(error) else "UNTYPED: the refusal names the patient"
    except Exception as error:  # the very thing that is looked for
        return f"UNTYPED: {type(error).__name__}"
    return "shown"


def main(count: int) -> int:
    """Breaks `count` files and reads them."""
    rng = np.random.default_rng(0)
    files = malformed.seeds()
    found: collections.Counter[str] = collections.Counter()
    slowest = 0.0
    LAST.parent.mkdir(exist_ok=True)
    for number in range(count):
        data = malformed.broken(files[int(rng.integers(len(files)))], rng)
        LAST.write_bytes(data)
        began = time.perf_counter()
        said = outcome(data)
        took = time.perf_counter() - began
        found[said] += 1
        slowest = max(slowest, took)
        if said.startswith("UNTYPED") or took > LONGEST_S:
            (LAST.parent / f"fuzz-{number}").write_bytes(data)
            print(f"{number}: {said} after {took:.2f} s, kept as build/fuzz-{number}")
    return _report(found, slowest)


def _report(found: collections.Counter[str], slowest: float) -> int:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{found.total()} broken files; slowest {1e3 * slowest:.0f} ms; peak of memory {peak:.0f} MiB")
    for said, times in found.most_common():
        print(f"  {times:7d} {said}")
    untyped = sum(times for said, times in found.items() if said.startswith("UNTYPED"))
    return int(untyped > 0 or slowest > LONGEST_S or peak > MOST_MIB)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000))
