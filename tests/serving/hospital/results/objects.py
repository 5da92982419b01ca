"""What other programs make of an object: pydicom, dciodvfy (dicom3tools), dsrdump and dcmdump (dcmtk), pdftotext."""

from __future__ import annotations

import io
import shutil
import subprocess
from datetime import datetime
from pathlib import Path

import pytest
from pydicom import Dataset, dcmread

AT = datetime(2026, 3, 4, 5, 6, 7, 890123)


def needs(tool: str) -> pytest.MarkDecorator:
    """Skips where a tool of Debian's is not installed; .ci/run installs them all."""
    return pytest.mark.skipif(shutil.which(tool) is None, reason=f"{tool} is not installed")


def written(dataset: Dataset) -> bytes:
    """A data set as a file's bytes."""
    buffer = io.BytesIO()
    dataset.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def read_back(dataset: Dataset) -> Dataset:
    """What another program reads of it."""
    return dcmread(io.BytesIO(written(dataset)))


def said_of(dataset: Dataset, tool: str, folder: Path) -> str:
    """What a tool prints of a data set."""
    (folder / "object.dcm").write_bytes(written(dataset))
    done = subprocess.run([tool, str(folder / "object.dcm")], capture_output=True, text=True, timeout=60, check=False)
    return done.stdout + done.stderr
