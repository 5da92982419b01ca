"""The process that `engines.apart` starts: reads a SavedModel, flattens it and writes that down, behind all else.

Half of TensorFlow's start is Keras', which it imports where it finds it. No SavedModel needs that to be read.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from pathlib import Path


def main(folder: Path, scratch: Path) -> None:
    """What the process does."""
    with suppress(OSError):  # it may be forbidden; its parent's niceness it has already
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    sys.modules["keras"] = None  # type: ignore[assignment]  # an import of it fails, which TensorFlow takes as it is
    from serving.modelserver.engines.apart import write
    from serving.modelserver.servables import flattened

    flat = flattened(folder)
    if flat is not None:
        write(flat, scratch)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
