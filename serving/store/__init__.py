"""What was received, what was answered and what was said of it: SQLite by default, PostgreSQL by URL."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from serving.store.store import Store


def opened(url: str, *, spool: Path | None = None) -> Store:
    """A `Store`; what it needs is imported only now.

    Raises:
        BadConfig: as `Store`.
        StoreNotReady: as `Store`.
    """
    from serving.store.store import Store

    return Store(url, spool=spool)
