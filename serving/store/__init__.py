"""What was received, what was answered and what was said of it: SQLite by default, PostgreSQL by URL."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from zoo import errors

if TYPE_CHECKING:
    from serving.store.store import Store


def opened(url: str, *, spool: Path | None = None) -> Store:
    """A `Store`; what it needs is imported only now.

    Raises:
        BadConfig: SQLAlchemy is not installed, or as `Store`.
        StoreNotReady: as `Store`.
    """
    try:
        from serving.store.store import Store
    except ModuleNotFoundError as missing:
        raise errors.BadConfig(
            f"The store needs {missing.name}, which is not installed: pip install 'kerascope[hospital]'."
        ) from None
    return Store(url, spool=spool)
