"""A PostgreSQL cluster of the tests' own; tests skip without it."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import postgresql


class Cluster(postgresql.Cluster):
    """A PostgreSQL server on a free port of this machine."""

    def __init__(self, folder: Path) -> None:
        if postgresql.programs() is None:
            pytest.skip(postgresql.MISSING)
        super().__init__(folder)
