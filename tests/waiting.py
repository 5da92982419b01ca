"""Waiting for something to be so, with patience for a busy machine."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

PATIENCE_S = 120.0


def until(holds: Callable[[], Any], timeout_s: float = PATIENCE_S) -> Any:
    """What it says once it is true."""
    end = time.monotonic() + timeout_s
    while not (said := holds()):
        assert time.monotonic() < end, "it did not come true in time"
        time.sleep(0.02)
    return said
