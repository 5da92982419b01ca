"""What `kerascope doctor` prints: a table for people, or JSON."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from importlib import metadata

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Column, Table

from serving.doctor.checks import Check, State
from zoo import terminal

LEAST_WIDTH = 60
STYLES = {State.OK: "green", State.UNUSUAL: "yellow", State.NOT_TESTED: "dim", State.WRONG: "bold red"}


def well(checks: list[Check]) -> bool:
    """Whether nothing is wrong."""
    return all(check.state is not State.WRONG for check in checks)


def as_dict(checks: list[Check]) -> dict[str, object]:
    """Plain values, for JSON."""
    return {"version": _version(), "well": well(checks), "checks": [asdict(check) for check in checks]}


def console() -> Console:
    """Where `show` prints; at least LEAST_WIDTH wide, for a narrower table has no room for its facts."""
    found = terminal.console()
    found.width = max(found.width, LEAST_WIDTH)
    return found


def show(checks: list[Check], console: Console) -> None:
    """Prints a table for each part, a fix below what it mends, and the sum."""
    for part in dict.fromkeys(check.part for check in checks):
        columns = [Column(overflow="fold") for _ in range(3)]
        table = Table(
            *columns, title=part, title_justify="left", box=box.SIMPLE_HEAD, show_header=False, show_edge=False
        )
        for check in checks:
            if check.part == part:
                fix = f"\nFix: {check.fix}" if check.fix else ""
                table.add_row(
                    escape(check.name), f"[{STYLES[check.state]}]{check.state.value}[/]", escape(check.found + fix)
                )
        console.print(table)
        console.print()
    console.print(summary(checks), style="bold")


def summary(checks: list[Check]) -> str:
    """The closing line: the verdict, what was not tested, and how many findings there are of each state."""
    count = Counter(check.state for check in checks)
    said = ", ".join(f"{count[state]} {state.value}" for state in State if count[state])
    untested = ", ".join(check.name for check in checks if check.state is State.NOT_TESTED)
    verdict = "Nothing found wrong" if well(checks) else "Something is wrong"
    verdict += f"; not tested: {untested}. Findings" if untested else ""
    return f"Kerascope {_version()}. {verdict}: {said}."


def _version() -> str:
    try:
        return metadata.version("kerascope")
    except metadata.PackageNotFoundError:
        return "unknown"
