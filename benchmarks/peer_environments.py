"""A virtual environment for each peer, on top of ours: it sees our TensorFlow, and what it installs stays its own."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

BUILD = Path(__file__).parents[1] / "build" / "peers"
INSTALL_S = 900


class NotInstalled(Exception):
    """A peer cannot be installed here; the message says why, in a line."""


def python_with(name: str, *packages: str) -> Path:
    """The Python of `build/peers/<name>`, made at the first call.

    Raises:
        NotInstalled: pip could not have the packages.
    """
    folder = BUILD / name
    python = folder / "bin" / "python"
    if not (folder / "complete").is_file():
        venv.create(folder, clear=True, with_pip=True)
        _see_ours(folder)
        _install(python, packages)
        (folder / "complete").touch()
    return python


def _see_ours(folder: Path) -> None:
    (packages,) = folder.glob("lib/python*/site-packages")
    (packages / "ours.pth").write_text(f"{sysconfig.get_path('purelib')}\n")


def _install(python: Path, packages: tuple[str, ...]) -> None:
    command = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *packages]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=INSTALL_S, check=False)
    except subprocess.TimeoutExpired:
        raise NotInstalled(f"pip did not end within {INSTALL_S} s") from None
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if line.startswith("ERROR")] or done.stderr.splitlines()
        raise NotInstalled(lines[-1] if lines else "pip failed and said nothing")


if __name__ == "__main__":
    print(python_with(sys.argv[1], *sys.argv[2:]))
