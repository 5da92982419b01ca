"""Environments that hold one extra's packages, made of links to the packages that the tests run with: no download."""

from __future__ import annotations

import sys
import venv
from pathlib import Path

from deploy import installed

ROOT = Path(__file__).parents[1]


def environment(folder: Path, *extras: str) -> Path:
    """A virtual environment in `folder` with Kerascope's core and these extras.

    Returns:
        Its Python.
    """
    venv.create(folder, with_pip=False, symlinks=True)
    site = folder / "lib" / f"python{sys.version_info[0]}.{sys.version_info[1]}" / "site-packages"
    for distribution in installed.closure("kerascope", extras).values():
        for top in {file.parts[0] for file in distribution.files or () if file.parts[0] not in ("..", "__pycache__")}:
            if not top.startswith("__editable__") and not (site / top).exists():
                (site / top).symlink_to(Path(str(distribution.locate_file(top))).resolve())
    (site / "checkout.pth").write_text(f"{ROOT}\n")
    return folder / "bin" / "python"
