"""`kerascope doctor`."""

from __future__ import annotations

from typing import Annotated

import typer

from zoo import terminal

app = typer.Typer()


@app.command()
def doctor(
    json: Annotated[bool, typer.Option("--json", help="Print JSON in place of tables.")] = False,
) -> None:
    """Say what this machine is and what about it is unusual, and test Kerascope on it; status 1 if a thing is wrong."""
    from serving.doctor import environment, machine, ports, report, software, tested

    console = report.console()
    checks = [*machine.examine(), *software.examine(), *ports.examine(), *environment.examine()]
    with console.status("Testing one known image"):
        checks += tested.selftest()
    if json:
        terminal.say_json(report.as_dict(checks))
    else:
        report.show(checks, console)
    raise typer.Exit(not report.well(checks))
