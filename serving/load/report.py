"""A load's numbers as a table, as JSON and as a picture."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from serving.load.measured import PERCENTILES, Measured
from zoo import disk, errors

if TYPE_CHECKING:
    from rich.table import Table


def table(found: Measured) -> Table:
    """Latencies of the whole call and of each stage, in milliseconds."""
    from rich.table import Table

    failed = len(found.samples) - len(found.answered)
    named = ", ".join(f"{number} {name}" for name, number in sorted(found.failures.items()))
    caption = f"{len(found.answered)} answers, {found.throughput:.1f} a second; {failed} failed {named}".strip()
    drawn = Table(title=_title(found), caption=caption)
    drawn.add_column("ms")
    for percent in PERCENTILES:
        drawn.add_column(f"p{percent}", justify="right")
    drawn.add_row("whole call", *(f"{found.percentile(percent):.1f}" for percent in PERCENTILES))
    for name in found.stages:
        told = name.removesuffix("_ms")
        drawn.add_row(f"  {told}", *(f"{found.stage(name, percent):.1f}" for percent in PERCENTILES))
    return drawn


def write(found: Measured, path: Path) -> None:
    """The summary as JSON.

    Raises:
        BadRequest: the folder is not there or not ours to write.
    """
    try:
        disk.write_whole(path, json.dumps(found.summary(), indent=2) + "\n")
    except OSError as error:
        raise errors.BadRequest(f"{path} cannot be written: {error.strerror}. Name another with --out.") from None


def plot(found: Sequence[tuple[str, Measured]], path: Path) -> None:
    """Which part of the calls had been answered after how long, one line a load; PNG.

    Raises:
        BadRequest: `path` cannot be written.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.subplots()
    for name, one in found:
        latencies = sorted(sample.latency_ms for sample in one.answered)
        share = [100 * (place + 1) / len(latencies) for place in range(len(latencies))]
        axes.step(latencies, share, where="post", label=f"{name}, {one.throughput:.1f}/s")
    axes.set(xscale="log", xlabel="latency, ms", ylabel="answered, %", ylim=(0, 101))
    axes.grid(alpha=0.3)
    axes.legend(loc="lower right")
    try:
        figure.savefig(path, dpi=130)
    except OSError as error:
        raise errors.BadRequest(f"{path} cannot be written: {error.strerror}. Name another with --plot.") from None


def _title(found: Measured) -> str:
    load = found.load
    if load["kind"] == "closed":
        return f"{load['clients']} clients in a closed loop, {load['seconds']:g} s"
    return f"{load['rate_per_s']:g} calls a second in an open loop, {load['seconds']:g} s"
