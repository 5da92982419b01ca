"""Keys, certificates and tokens from the files that the environment names."""

from __future__ import annotations

from pathlib import Path

from zoo import errors


def read(path: Path) -> bytes:
    """What a file holds.

    Raises:
        BadConfig: it cannot be read.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise errors.BadConfig(
            f"{path} cannot be read: {error.strerror}. Name another, or let this user read it."
        ) from None
