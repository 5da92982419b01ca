"""A long series on one stream: `python -m benchmarks.streaming [folder] [count]`; 500 slices unless told.

The slices are those of a folder of DICOM files (`../shared/data/ct_series` unless told), each as often as it takes and
under its own SOP Instance UID. Prints the gateway's and the client's memory by tenths of the way, and ends with 1 where
the gateway's peak over the second half is more than a tenth above that of the first.
"""

from __future__ import annotations

import io
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pydicom
import pydicom.misc
from pydicom.uid import generate_uid

from benchmarks.bundles import bundle
from benchmarks.watched import Memory, watched
from serving.client import Client

REGISTRY = Path(__file__).parents[1] / "build" / "bench" / "ct-registry"
SERIES = Path(__file__).parents[1] / ".." / "shared" / "data" / "ct_series"
BACKBONE, GROWTH = "mobilenetv2", 1.1


def slices(folder: Path, count: int) -> Iterator[tuple[str, bytes]]:
    """SOP Instance UID and file of each slice."""
    files = [path for path in sorted(folder.iterdir()) if pydicom.misc.is_dicom(path)]
    for number in range(count):
        ds = pydicom.dcmread(files[number % len(files)])
        ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = generate_uid()
        buffer = io.BytesIO()
        ds.save_as(buffer)
        yield str(ds.SOPInstanceUID), buffer.getvalue()


def main(folder: Path, count: int) -> int:
    """Measures and prints."""
    made = bundle(BACKBONE, REGISTRY, modalities=("CT",))
    with tempfile.TemporaryDirectory() as scratch:
        os.environ["KERASCOPE_STORE"] = f"sqlite:///{scratch}/store.db"
        with watched(made, REGISTRY) as (address, memory), Client(address) as client:
            ours = Memory(os.getpid())
            peaks, began, failed, sent = [], time.perf_counter(), 0, 0
            for sent, answer in enumerate(client.analyze_stream(slices(folder, count), model=made.name), 1):
                failed += answer.error is not None
                if sent % max(count // 10, 1) == 0:
                    peaks.append(memory.peak_mib)
                    print(
                        f"{sent:5d} slices: gateway {memory.peak_mib:.0f} MiB at most, client {ours.peak_mib:.0f} MiB"
                    )
                    memory.reset()
                    ours.reset()
            took = time.perf_counter() - began
    print(f"{sent} answers, {failed} without findings, {sent / took:.1f} a second")
    half = len(peaks) // 2
    return int(failed > 0 or sent != count or max(peaks[half:]) > GROWTH * max(peaks[:half]))


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]) if len(sys.argv) > 1 else SERIES, int(sys.argv[2]) if len(sys.argv) > 2 else 500))
