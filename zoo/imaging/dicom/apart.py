"""Decoding in a process of its own: GDCM ends the process on some broken frames, and it must not be the gateway's.

One worker, started at the first frame that needs it. What passes between the two is 8 bytes of length, little endian,
and as many of content: a DICOM file of one frame to the worker, an array as NumPy writes it back; nothing for failure.
"""

from __future__ import annotations

import atexit
import io
import os
import struct
import subprocess
import sys
import threading
from pathlib import Path
from typing import IO

import numpy as np
import numpy.typing as npt
from pydicom import Dataset, FileMetaDataset, dcmread
from pydicom.encaps import encapsulate

Stored = npt.NDArray[np.generic]

LONGEST_S = 5.0
_DESCRIBING = (
    *("Rows", "Columns", "BitsAllocated", "BitsStored", "HighBit", "SamplesPerPixel", "PhotometricInterpretation"),
    *("PixelRepresentation", "PlanarConfiguration"),
)
_ROOT = Path(__file__).parents[3]


class Worker:
    """The other process; safe to use from many threads, which take turns."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None

    def decode(self, dataset: Dataset, encoded: bytes) -> Stored:
        """The stored values of one compressed frame.

        Args:
            dataset: describes the frame.
            encoded: the frame.

        Raises:
            ValueError: it cannot be decoded, took longer than 5 s, or ended the worker.
        """
        with self._lock:
            answer = self._ask(_file(dataset, encoded))
        if not answer:
            raise ValueError("the frame cannot be decoded")
        return np.asarray(np.load(io.BytesIO(answer), allow_pickle=False))

    def close(self) -> None:
        """Ends the process."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def _ask(self, question: bytes) -> bytes:
        process = self._running()
        assert process.stdin is not None
        assert process.stdout is not None
        deadline = threading.Timer(LONGEST_S, process.kill)
        deadline.start()
        try:
            _send(process.stdin, question)
            answer = _receive(process.stdout)
        except OSError:
            answer = None
        finally:
            deadline.cancel()
        if answer is None:  # it died of the frame
            self.close()
        return answer or b""

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None or self._process.poll() is not None:
            paths = os.pathsep.join(filter(None, (str(_ROOT), os.environ.get("PYTHONPATH"))))
            self._process = subprocess.Popen(
                [sys.executable, "-c", "from zoo.imaging.dicom.apart import serve; serve()"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=os.environ | {"PYTHONPATH": paths},
            )
            assert self._process.stdout is not None
            _receive(self._process.stdout)  # it has started; from here on the time counts
        return self._process


WORKER = Worker()
atexit.register(WORKER.close)


def serve() -> None:
    """The worker: answers until its parent is gone."""
    from zoo.imaging.dicom.decoding import here

    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a codec prints is no answer
    _send(answers, b"")
    while (question := _receive(sys.stdin.buffer)) is not None:
        buffer = io.BytesIO()
        try:
            np.save(buffer, here(dcmread(io.BytesIO(question)), 1), allow_pickle=False)
        except Exception:  # many kinds; the parent has a word for all of them
            buffer = io.BytesIO()
        _send(answers, buffer.getvalue())


def _file(dataset: Dataset, encoded: bytes) -> bytes:
    """The frame as a file that says nothing but what a decoder must know."""
    alone = Dataset()
    alone.preamble, alone.file_meta = b"\0" * 128, FileMetaDataset()
    alone.file_meta.TransferSyntaxUID = dataset.file_meta.TransferSyntaxUID
    for keyword in _DESCRIBING:
        if keyword in dataset:
            alone.add(dataset[keyword])
    alone.PixelData = encapsulate([encoded])
    alone["PixelData"].VR = "OB"
    alone["PixelData"].is_undefined_length = True
    buffer = io.BytesIO()
    alone.save_as(buffer, enforce_file_format=False)
    return buffer.getvalue()


def _send(pipe: IO[bytes], content: bytes) -> None:
    pipe.write(struct.pack("<Q", len(content)))
    pipe.write(content)
    pipe.flush()


def _receive(pipe: IO[bytes]) -> bytes | None:
    """What the other side sent; None where it is gone."""
    head = pipe.read(8)
    if len(head) < 8:
        return None
    length = struct.unpack("<Q", head)[0]
    content = pipe.read(length)
    return content if len(content) == length else None
