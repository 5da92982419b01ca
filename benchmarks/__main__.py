"""`make bench`: every comparison, as a table and as build/bench/bench.json; status 1 where a bar does not hold."""

from __future__ import annotations

import json
import os
import platform
import sys
from dataclasses import asdict
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from rich.console import Console
from rich.table import Table

from benchmarks import engines, graph, load, server, start, training
from benchmarks.timing import Measured

OUT = Path(__file__).parents[1] / "build" / "bench"


def main() -> int:
    """Measures, prints, writes."""
    console = Console()
    found: list[Measured] = []
    for part in (start, server, engines, load, graph, training):
        with console.status(f"Measuring {part.__name__}"):
            for measured in part.measure(OUT / "registry"):
                console.log(f"{measured.name}: {measured.ratio:.2f} x {measured.peer}")
                found.append(measured)
    console.print(table(found))
    (OUT / "bench.json").write_text(json.dumps([asdict(one) for one in found], indent=2))
    return int(any(one.holds is False for one in found))


def table(found: list[Measured]) -> Table:
    """One row each, with its bar."""
    drawn = Table(title=f"{os.cpu_count()} cores, {platform.machine()}; medians, measured in turns with the peer")
    for heading in ("What", "ms", "Against", "ms", "Ratio", "At most"):
        drawn.add_column(heading, justify="left" if heading in ("What", "Against") else "right")
    for one in found:
        bar = "" if one.bar is None else f"{one.bar:.2f} {'holds' if one.holds else 'FAILS'}"
        drawn.add_row(one.name, f"{one.ms:.2f}", one.peer, f"{one.peer_ms:.2f}", f"{one.ratio:.2f}", bar)
    return drawn


if __name__ == "__main__":
    sys.exit(main())
