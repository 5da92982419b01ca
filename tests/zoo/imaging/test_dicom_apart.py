"""What ends a decoder ends a process of its own, and the next frame is decoded all the same."""

from __future__ import annotations

import os
import shutil
import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from benchmarks import malformed
from tests.zoo.imaging.test_dicom_syntaxes import converted, plain, slopes
from zoo import errors
from zoo.imaging.dicom import apart
from zoo.imaging.image import read

pytestmark = pytest.mark.skipif(shutil.which("dcmcjpeg") is None, reason="dcmtk is not installed")


@pytest.fixture(scope="module")
def lossless(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A file that GDCM alone reads."""
    return converted(plain(), ["dcmcjpeg", "+e1"], tmp_path_factory.mktemp("lossless"))


def test_a_worker_killed_is_replaced_at_the_next_frame(lossless: bytes):
    first = read(lossless).pixels
    assert apart.WORKER._process is not None
    os.kill(apart.WORKER._process.pid, signal.SIGKILL)
    apart.WORKER._process.wait()
    np.testing.assert_array_equal(read(lossless).pixels, first)
    assert first.shape == slopes().shape


def test_frames_that_break_gdcm_are_refused_and_break_nothing_else(lossless: bytes):
    rng = np.random.default_rng(5)
    expected = read(lossless).pixels
    refused = 0
    for _ in range(40):
        try:
            read(malformed._pixels(lossless, rng))
        except errors.BadImage:
            refused += 1
    assert refused > 10
    np.testing.assert_array_equal(read(lossless).pixels, expected)


def test_many_threads_get_each_their_own_frame(tmp_path: Path):
    def one(number: int) -> bool:
        folder = tmp_path / str(number)
        folder.mkdir()
        ds = plain()
        ds.PixelData = np.roll(slopes(), number, axis=1).tobytes()
        shown = read(converted(ds, ["dcmcjpeg", "+e1"], folder)).pixels
        return bool((shown == np.roll(read(converted(plain(), ["dcmcjpeg", "+e1"], folder)).pixels, number, 1)).all())

    with ThreadPoolExecutor(6) as pool:
        assert all(pool.map(one, range(12)))
