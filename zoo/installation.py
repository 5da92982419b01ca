"""Where the folders of the repository lie that commands read: `deploy`, `releases`."""

from __future__ import annotations

from pathlib import Path

_ZOO = Path(__file__).parent


def folder(name: str) -> Path:
    """A folder at the top of the repository, or the copy of it that an installed package has (setup.py).

    It is not there in an image, which holds only the packages that it runs.
    """
    copied = _ZOO / "data" / name
    return copied if copied.is_dir() else _ZOO.parent / name
