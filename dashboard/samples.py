"""Pictures to try: a folder of DICOM, PNG and JPEG files."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

FOLDER = "KERASCOPE_SAMPLES"
DEFAULT = Path("build/demo/samples")
KINDS = {".dcm": "DICOM", ".dicom": "DICOM", ".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG"}
MOST = 200


@dataclass(frozen=True, kw_only=True)
class Sample:
    """One picture of the folder.

    Attributes:
        title: "Sample 1 (DICOM)". Not the file's name: hospitals put patients' names there.
        path: where it is.
    """

    title: str
    path: Path

    def read(self) -> bytes:
        """The file's content; empty where it is gone, which is then refused like any empty file."""
        try:
            return self.path.read_bytes()
        except OSError:
            return b""


def folder() -> Path:
    """The folder named by the environment variable KERASCOPE_SAMPLES, else `build/demo/samples`."""
    return Path(os.environ.get(FOLDER) or DEFAULT)


def offered(root: Path | None = None) -> list[Sample]:
    """The pictures of a folder, by name, at most `MOST`; none where there is no such folder.

    Args:
        root: the folder; None for `folder()`.
    """
    try:
        files = sorted(path for path in (root or folder()).iterdir() if path.suffix.lower() in KINDS)
    except OSError:
        return []
    return [
        Sample(title=f"Sample {number} ({KINDS[path.suffix.lower()]})", path=path)
        for number, path in enumerate(files[:MOST], start=1)
    ]
